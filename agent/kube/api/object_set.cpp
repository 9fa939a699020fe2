// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/object_set.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/kube/decode.h"
#include "agent/kube/kind.h"
#include "agent/kube/uid.h"

namespace weir {
namespace {

std::string_view text_of(const Value* value) {
    return value == nullptr ? std::string_view{} : value->text;
}

// The API server has checked names; nothing when what it sent is no object.
std::optional<ObjectName> name_of(const Value& object, Kind kind) {
    const Value* metadata = object.find("metadata");
    if (metadata == nullptr) return std::nullopt;
    const std::string_view name = text_of(metadata->find("name"));
    if (name.empty()) return std::nullopt;
    const std::string_view ns = is_namespaced(kind) ? text_of(metadata->find("namespace")) : "";
    return ObjectName{Symbol(std::string(ns)), Symbol(std::string(name))};
}

// "Resource versions ... can be compared" (as decimal numbers, since Kubernetes 1.35 by contract).
// 0 for anything else: such a server's objects are never read ahead.
std::uint64_t version_of(const Value& object) {
    const Value* metadata = object.find("metadata");
    const auto text = metadata == nullptr ? "" : text_of(metadata->find("resourceVersion"));
    std::uint64_t version = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), version);
    return error == std::errc() && rest == text.data() + text.size() ? version : 0;
}

ObjectSet::Uid uid_in(const Value& object) {
    const Value* metadata = object.find("metadata");
    return metadata == nullptr ? ObjectSet::Uid{} : parse_uid(text_of(metadata->find("uid")));
}

} // namespace

void ObjectSet::begin_list() {
    ++list_;
    listed_.clear();
}

void ObjectSet::list(const Value& object, Time now) {
    auto news = decode(object);
    if (!news) return;
    // An entry that is only listed has nothing to say: it is not in force and no trouble is known.
    Entry& entry = entries_[news->name];
    entry.list = list_;
    if (is_overtaken(object)) return;
    const bool is_plain = !news->is_invalid && !news->facts && !entry.facts;
    const bool is_known = is_plain && entry.object && news->object && entry.uid == news->uid &&
                          **entry.object == **news->object;
    if (!is_known) listed_.emplace_back(std::move(*news), now);
}

void ObjectSet::end_list() {
    for (auto& [news, time] : std::exchange(listed_, {}))
        apply(std::move(news), time);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const auto next = std::next(entry);
        if (entry->second.list != list_) erase(entry);
        entry = next;
    }
}

void ObjectSet::put(const Value& object, Time now) {
    if (is_overtaken(object)) return;
    auto news = decode(object);
    if (!news) return;
    entries_[news->name].list = list_;
    apply(std::move(*news), now);
}

void ObjectSet::put_ahead(const Value& object, Time now) {
    const std::uint64_t version = version_of(object);
    auto news = decode(object);
    if (!news || version <= latest_) return; // the watch is as far
    ahead_[news->name] = version;
    entries_[news->name].list = list_;
    apply(std::move(*news), now);
}

bool ObjectSet::is_overtaken(const Value& object) {
    const std::uint64_t version = version_of(object);
    latest_ = std::max(latest_, version);
    if (ahead_.empty()) return false;
    std::erase_if(ahead_, [&](const auto& entry) { return entry.second < latest_; });
    const auto name = name_of(object, kind_);
    const auto ahead = name ? ahead_.find(*name) : ahead_.end();
    return ahead != ahead_.end() && version < ahead->second;
}

void ObjectSet::erase(const Value& object) {
    if (is_overtaken(object)) return;
    const auto name = name_of(object, kind_);
    if (!name) return;
    if (const auto entry = entries_.find(*name); entry != entries_.end()) erase(entry);
}

void ObjectSet::clear() {
    begin_list();
    end_list();
}

std::optional<ObjectSet::News> ObjectSet::decode(const Value& object) const {
    const auto name = name_of(object, kind_);
    if (!name) return std::nullopt;
    DecodedFile decoded = decode_object(kind_, object);
    News news{.name = *name,
              .object = std::nullopt,
              .trouble = nullptr,
              .facts = nullptr,
              .uid = uid_in(object),
              .is_invalid = false,
              .why = ""};
    if (decoded.objects.empty()) { // not enforced, or its name is refused
        news.is_invalid = !decoded.unidentified.empty();
        news.why = std::move(decoded.unidentified);
    } else {
        DecodedObject& first = decoded.objects.front();
        news.is_invalid = !first.object;
        news.why = std::move(first.why);
        if (first.object) news.object.emplace(std::move(*first.object));
    }
    if (!decoded.problems.empty()) {
        news.trouble = std::make_unique<Trouble>(Trouble{std::move(decoded.problems), {}});
    }
    const bool is_troubled = news.trouble || news.is_invalid;
    if (!is_troubled && !has_written_status(kind_)) return news; // of most objects, each time
    ObjectFacts facts = read_object_facts(kind_, object);
    if (is_troubled || facts.is_reported()) {
        news.facts = std::make_unique<ObjectFacts>(std::move(facts));
    }
    return news;
}

void ObjectSet::apply(News news, Time now) {
    Entry& entry = entries_[news.name];
    note_reported(news.name, news.facts != nullptr);
    entry.facts = std::move(news.facts);
    entry.uid = news.uid;
    if (news.trouble) report(news.trouble->problems, entry.trouble.get());
    const bool was_kept = entry.trouble && entry.trouble->kept;
    if (news.is_invalid && entry.object) { // the last valid version stays
        if (!news.trouble) news.trouble = std::make_unique<Trouble>();
        news.trouble->kept =
            was_kept ? std::move(entry.trouble->kept) : KeptObject{{kind_, news.name}, {}, now, ""};
        news.trouble->kept->why = std::move(news.why);
        entry.trouble = std::move(news.trouble);
        return;
    }
    entry.trouble = std::move(news.trouble);
    const bool is_same = entry.object && news.object && **entry.object == **news.object;
    if (is_same || (!entry.object && !news.object)) return;
    if (news.object) {
        change_.upserts.push_back(*news.object);
    } else {
        change_.erasures.push_back({kind_, news.name});
    }
    entry.object = std::move(news.object);
}

void ObjectSet::erase(Entries::iterator entry) {
    if (entry->second.object) change_.erasures.push_back({kind_, entry->first});
    note_reported(entry->first, false);
    entries_.erase(entry);
}

// Of one that stays reported too: what is reported is new.
void ObjectSet::note_reported(const ObjectName& name, bool is_reported) {
    const bool is_news = is_reported || reported_.erase(name) != 0;
    if (is_reported) reported_.insert(name);
    if (is_news) ++reported_changes_;
}

void ObjectSet::report(const std::vector<Problem>& problems, const Trouble* known) const {
    if (!on_problem_) return;
    for (const Problem& problem : problems) {
        const bool is_known = known != nullptr &&
                              std::ranges::find(known->problems, problem) != known->problems.end();
        if (!is_known) on_problem_(problem);
    }
}

// An object that comes, goes and comes again within one change counts as it is in the end.
Change ObjectSet::take_change() {
    Change change = std::exchange(change_, {});
    const auto in_force = [&](const ObjectName& name) -> const SharedObject* {
        const auto entry = entries_.find(name);
        return entry == entries_.end() || !entry->second.object ? nullptr : &*entry->second.object;
    };
    std::erase_if(change.erasures,
                  [&](const ObjectKey& key) { return in_force(key.name) != nullptr; });
    std::erase_if(change.upserts, [&](const SharedObject& object) {
        const SharedObject* latest = in_force(key_of(object).name);
        return latest == nullptr || &**latest != &*object;
    });
    return change;
}

void ObjectSet::each_reported(const std::function<void(const ReportedObject&)>& visit) const {
    static const std::vector<Problem> kNone;
    for (const auto& name : reported_) {
        const auto found = entries_.find(name);
        if (found == entries_.end() || !found->second.facts) continue;
        const Entry& entry = found->second;
        visit({.key = {kind_, name},
               .uid = uid_text(entry.uid),
               .facts = *entry.facts,
               .problems = entry.trouble ? entry.trouble->problems : kNone,
               .in_force = entry.object ? &*entry.object : nullptr,
               .is_kept = entry.trouble && entry.trouble->kept});
    }
}

std::string ObjectSet::uid_of(const ObjectName& name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? "" : uid_text(found->second.uid);
}

void ObjectSet::add_status(SourceStatus& status) const {
    for (const auto& name : reported_) {
        const auto found = entries_.find(name);
        if (found == entries_.end() || !found->second.trouble) continue;
        const Entry& entry = found->second;
        for (const Problem& problem : entry.trouble->problems)
            status.problems.push_back(problem);
        if (entry.trouble->kept) status.kept.push_back(*entry.trouble->kept);
    }
}

} // namespace weir
