// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/object_set.h"

#include <gmock/gmock.h>

#include "agent/kube/document.h"
#include "tests/agent/kube/manifest_support.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const ObjectSet::Time kNow{std::chrono::seconds(1000)};

// Feeds YAML, which yields the same trees as the API's JSON.
class Policies : public testing::Test {
protected:
    void put(const std::string& yaml) { set_.put(parse(yaml).root(), kNow); }
    void put_ahead(const std::string& yaml) { set_.put_ahead(parse(yaml).root(), kNow); }
    void erase(const std::string& yaml) { set_.erase(parse(yaml).root()); }
    // What the set changes when this is the list of everything.
    std::vector<std::string> list(const std::vector<std::string>& all) {
        set_.begin_list();
        for (const auto& yaml : all)
            set_.list(parse(yaml).root(), kNow);
        set_.end_list();
        return changes();
    }
    // "+x/p web" for each upsert, "-x/p" for each erasure.
    std::vector<std::string> changes() {
        const Change change = set_.take_change();
        std::vector<std::string> words;
        for (const auto& object : change.upserts) {
            words.push_back("+" + to_string(key_of(object)).substr(14) + " " +
                            selected_label(object));
        }
        for (const auto& key : change.erasures)
            words.push_back("-" + to_string(key).substr(14));
        std::ranges::sort(words);
        return words;
    }
    SourceStatus status() const {
        SourceStatus status;
        set_.add_status(status);
        return status;
    }

    std::vector<Problem> problems_;
    ObjectSet set_{Kind::kNetworkPolicy,
                   [this](const Problem& problem) { problems_.push_back(problem); }};

private:
    static Document parse(const std::string& yaml) {
        auto document = Document::parse({yaml, 1});
        EXPECT_TRUE(document);
        return std::move(*document);
    }
};

TEST_F(Policies, AListCountsWhenItIsComplete) {
    set_.begin_list();
    EXPECT_THAT(list({policy_yaml("x", "a"), policy_yaml("x", "b")}),
                ElementsAre("+x/a web", "+x/b web"));
    set_.begin_list(); // never ends: nothing shrinks
    EXPECT_THAT(changes(), IsEmpty());
    EXPECT_THAT(list({policy_yaml("x", "b", "new"), policy_yaml("x", "c")}),
                ElementsAre("+x/b new", "+x/c web", "-x/a"));
}

TEST_F(Policies, ReactsOnceToAVersion) {
    put(policy_yaml("x", "a"));
    EXPECT_THAT(changes(), SizeIs(1));
    put(policy_yaml("x", "a")); // fields that policy does not use are other ones
    EXPECT_THAT(changes(), IsEmpty());
    EXPECT_THAT(list({policy_yaml("x", "a")}), IsEmpty());
}

TEST_F(Policies, OneChangeHasTheLastOfSeveralEvents) {
    put(policy_yaml("x", "a", "one"));
    put(policy_yaml("x", "a", "two"));
    put(policy_yaml("x", "b"));
    erase(policy_yaml("x", "b"));
    EXPECT_THAT(changes(), ElementsAre("+x/a two", "-x/b"));
    erase(policy_yaml("x", "a"));
    put(policy_yaml("x", "a", "three"));
    EXPECT_THAT(changes(), ElementsAre("+x/a three"));
}

TEST_F(Policies, AnInvalidVersionKeepsTheLastValidOne) {
    put(policy_yaml("x", "a"));
    EXPECT_THAT(changes(), SizeIs(1));
    put(bad_policy_yaml("x", "a"));
    EXPECT_THAT(changes(), IsEmpty());
    ASSERT_THAT(status().kept, SizeIs(1));
    EXPECT_EQ(status().kept[0].since, kNow);
    ASSERT_THAT(problems_, SizeIs(1));
    EXPECT_THAT(to_string(problems_[0]), HasSubstr("NetworkPolicy x/a: spec.ingress[1]"));
    EXPECT_THAT(list({bad_policy_yaml("x", "a")}), IsEmpty()) << "a list keeps it as well";
    EXPECT_THAT(problems_, SizeIs(1)) << "and says it once";
    put(policy_yaml("x", "a", "mended"));
    EXPECT_THAT(changes(), ElementsAre("+x/a mended"));
    EXPECT_THAT(status().kept, IsEmpty());
    EXPECT_THAT(status().problems, IsEmpty());
}

TEST_F(Policies, AKeptObjectGoesWhenItIsDeleted) {
    put(policy_yaml("x", "a"));
    put(bad_policy_yaml("x", "a"));
    EXPECT_THAT(changes(), SizeIs(1));
    EXPECT_THAT(list({}), ElementsAre("-x/a"));
    EXPECT_THAT(status().kept, IsEmpty());
}

TEST_F(Policies, OneNeverValidIsReportedAndAbsent) {
    put(bad_policy_yaml("x", "a"));
    EXPECT_THAT(changes(), IsEmpty());
    EXPECT_THAT(status().problems, SizeIs(1));
    erase(bad_policy_yaml("x", "a"));
    EXPECT_THAT(changes(), IsEmpty());
    EXPECT_THAT(status().problems, IsEmpty());
}

std::string with_uid(const std::string& yaml, char digit) {
    std::string text = yaml;
    const std::string uid = "11111111-2222-3333-4444-55555555555" + std::string(1, digit);
    const std::string before = "metadata: {";
    return text.replace(text.find(before), before.size(), before + "uid: " + uid + ", ");
}

TEST_F(Policies, AnObjectThatIsMadeAnewIsAnotherOne) {
    const ObjectName name{Symbol("x"), Symbol("a")};
    EXPECT_EQ(set_.uid_of(name), "");
    put(with_uid(policy_yaml("x", "a"), '1'));
    EXPECT_EQ(set_.uid_of(name), "11111111-2222-3333-4444-555555555551");
    EXPECT_THAT(changes(), SizeIs(1));
    EXPECT_THAT(list({with_uid(policy_yaml("x", "a"), '2')}), IsEmpty());
    EXPECT_EQ(set_.uid_of(name), "11111111-2222-3333-4444-555555555552") << "by a list as well";
    erase(policy_yaml("x", "a"));
    EXPECT_EQ(set_.uid_of(name), "");
}

TEST_F(Policies, WhatIsReportedIsOfObjectsWithAProblem) {
    std::vector<std::string> reported;
    const auto look = [&] {
        reported.clear();
        set_.each_reported([&](const ReportedObject& object) {
            reported.push_back(to_string(object.key) + (object.is_kept ? " kept" : "") +
                               (object.in_force == nullptr ? " absent" : ""));
        });
        return set_.reported_changes();
    };
    put(policy_yaml("x", "good"));
    EXPECT_EQ(look(), 0U);
    put(bad_policy_yaml("x", "bad"));
    auto changes = look();
    EXPECT_THAT(reported, ElementsAre("NetworkPolicy x/bad absent"));
    put(bad_policy_yaml("x", "good"));
    const auto before = std::exchange(changes, look());
    EXPECT_NE(changes, before);
    EXPECT_THAT(reported, testing::UnorderedElementsAre("NetworkPolicy x/bad absent",
                                                        "NetworkPolicy x/good kept"));
    put(policy_yaml("x", "good"));
    erase(bad_policy_yaml("x", "bad"));
    EXPECT_NE(look(), changes);
    EXPECT_THAT(reported, IsEmpty());
}

std::string versioned(const std::string& label, int version) {
    return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: x, name: "
           "a, "
           "resourceVersion: \"" +
           std::to_string(version) + "\"}\nspec: {podSelector: {matchLabels: {app: " + label +
           "}}, ingress: [{}]}\n";
}

TEST_F(Policies, OneReadAheadIsNotUndoneByWhatTheWatchTellsLater) {
    put(versioned("one", 10));
    EXPECT_THAT(changes(), ElementsAre("+x/a one"));
    put_ahead(versioned("four", 40));
    EXPECT_THAT(changes(), ElementsAre("+x/a four"));
    put(versioned("two", 20));
    erase(versioned("two", 25)); // an earlier object of that name
    put(versioned("three", 30));
    EXPECT_THAT(changes(), IsEmpty());
    put(versioned("four", 40));
    EXPECT_THAT(changes(), IsEmpty());
    put(versioned("five", 50));
    EXPECT_THAT(changes(), ElementsAre("+x/a five"));
    erase(versioned("five", 60));
    EXPECT_THAT(changes(), ElementsAre("-x/a"));
}

TEST_F(Policies, OneReadAheadThatTheWatchHasOvertakenDoesNotCount) {
    put(versioned("five", 50));
    erase(versioned("five", 60));
    EXPECT_THAT(changes(), ElementsAre("-x/a"));
    put_ahead(versioned("five", 50));
    EXPECT_THAT(changes(), IsEmpty());
    put_ahead(versioned("seven", 70));
    EXPECT_THAT(list({versioned("six", 65)}), ElementsAre("+x/a seven"))
        << "a list that began before";
    EXPECT_THAT(list({}), ElementsAre("-x/a"));
}

TEST_F(Policies, AKindThatIsNotServedAnyMoreIsEmpty) {
    EXPECT_THAT(list({policy_yaml("x", "a"), policy_yaml("x", "b")}), SizeIs(2));
    set_.clear();
    EXPECT_THAT(changes(), ElementsAre("-x/a", "-x/b"));
    EXPECT_EQ(set_.size(), 0U);
}

} // namespace
} // namespace weir
