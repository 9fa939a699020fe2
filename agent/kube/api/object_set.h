// SPDX-License-Identifier: Apache-2.0
// The objects of one kind as the API serves them: what is in force, what is kept at its last valid
// version, and what changes. Knows no network and no clock. A list counts when it is complete.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/kube/api/object_facts.h"
#include "agent/kube/source.h"
#include "agent/kube/value.h"
#include "policy/hash.h"
#include "policy/model.h"

namespace weir {

// An object that there is something to say of: something is wrong with it, or Weir has to do with
// its status. What it refers to is the set's.
struct ReportedObject {
    ObjectKey key;
    std::string uid;
    const ObjectFacts& facts;
    const std::vector<Problem>& problems;
    const SharedObject* in_force = nullptr; // null: it is not; the last valid version else
    bool is_kept = false;                   // in force is an earlier version than the API's
};

class ObjectSet {
public:
    using Time = std::chrono::system_clock::time_point;
    using Uid = std::array<std::uint8_t, 16>;

    explicit ObjectSet(Kind kind, Source::OnProblem on_problem = {})
        : kind_(kind), on_problem_(std::move(on_problem)) {}

    // A list of everything begins; one that was begun before and not ended is void.
    void begin_list();
    void list(const Value& object, Time now);
    // Everything was listed: it comes into force, and what was not listed is gone.
    void end_list();

    // An object is new or different.
    void put(const Value& object, Time now);
    void erase(const Value& object);
    // An object that was read by itself. It counts when it is newer than all that was told; what is
    // told of it later and is older does not.
    void put_ahead(const Value& object, Time now);
    // The kind is not served any more.
    void clear();

    // What all calls since the last one changed.
    Change take_change();

    std::size_t size() const { return entries_.size(); }
    void add_status(SourceStatus& status) const;

    void each_reported(const std::function<void(const ReportedObject&)>& visit) const;
    // Grows whenever each_reported() would tell something else.
    std::uint64_t reported_changes() const { return reported_changes_; }
    // metadata.uid in text; empty when there is no such object.
    std::string uid_of(const ObjectName& name) const;

private:
    struct Trouble {
        std::vector<Problem> problems;
        std::optional<KeptObject> kept;
    };
    struct Entry {
        std::optional<SharedObject> object; // in force
        std::unique_ptr<Trouble> trouble;   // null nearly always
        std::unique_ptr<ObjectFacts> facts; // of a reported object
        Uid uid{};                          // of a mirror pod its own
        std::uint32_t list = 0;             // the last one that it was in
    };
    // What the API says of an object, when that is news.
    struct News {
        ObjectName name;
        std::optional<SharedObject> object;
        std::unique_ptr<Trouble> trouble; // of an invalid object, without what is kept
        std::unique_ptr<ObjectFacts> facts;
        Uid uid{};
        bool is_invalid = false;
        std::string why;
    };
    using Entries = std::unordered_map<ObjectName, Entry, ObjectNameHash>;

    // Whether put_ahead() has brought a newer version; notes what versions were told.
    bool is_overtaken(const Value& object);
    std::optional<News> decode(const Value& object) const;
    void apply(News news, Time now);
    void erase(Entries::iterator entry);
    void report(const std::vector<Problem>& problems, const Trouble* known) const;
    void note_reported(const ObjectName& name, bool is_reported);

    Kind kind_;
    Source::OnProblem on_problem_;
    Entries entries_;
    std::unordered_set<ObjectName, ObjectNameHash> reported_;
    std::uint64_t reported_changes_ = 0;
    std::uint32_t list_ = 0;
    std::vector<std::pair<News, Time>> listed_; // news of the list in progress
    Change change_;
    std::uint64_t latest_ = 0; // resourceVersion that was told
    std::unordered_map<ObjectName, std::uint64_t, ObjectNameHash> ahead_; // versions read ahead
};

} // namespace weir
