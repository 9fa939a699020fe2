// SPDX-License-Identifier: Apache-2.0
// What the CNI plugin asks of the agent: endpoints by the sandbox that they belong to. An ADD is
// answered when the pod's object is known and what policy says of it is in force. Until then the
// endpoint is there and closed; without an object in time it goes again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/cni/protocol.h"
#include "policy/model.h"

namespace boost::asio {
class io_context;
}

namespace weir {

class Enforcer;
class Inventory;
struct Endpoint;

class Attachments {
public:
    using Done = std::function<void(const CniReply&)>;
    // Requests answered, by command and whether they succeeded.
    using Counts = std::map<std::pair<std::string, bool>, std::uint64_t>;

    // Asks the source for a pod that is waited for.
    using LookFor = std::function<void(const ObjectName&)>;

    // All on the thread that runs the io_context, also the calls of `done`.
    Attachments(boost::asio::io_context& context, Enforcer& enforcer, const Inventory& inventory,
                LookFor look_for);
    ~Attachments();

    // Calls done exactly once, perhaps before it returns; never after destruction.
    void handle(const CniRequest& request, Done done);
    // Pods that ran before the agent came. What an earlier agent knows is left as it is; a sandbox
    // that is gone is passed over.
    void adopt(const std::vector<CniRequest>& pods);
    // A revision has come into force: somebody may have waited for it.
    void revision_in_force();

    const Counts& counts() const { return counts_; }
    std::size_t waiting() const { return waiting_.size(); }

private:
    struct Waiting;
    using WaitingList = std::list<std::shared_ptr<Waiting>>; // timers know them weakly

    CniReply answer(const CniRequest& request);
    void add(const CniRequest& request, Done done);
    CniReply del(const CniAttachment& attachment);
    CniReply check(const CniRequest& request);
    CniReply status() const;
    CniReply collect_garbage(const CniRequest& request);
    CniReply remove(const Endpoint& endpoint);

    bool is_known(const CniRequest& request) const;
    void wait(const CniRequest& request, Done done);
    void wait_on(const std::shared_ptr<Waiting>& waiting, std::chrono::milliseconds pause);
    void expire(const std::shared_ptr<Waiting>& waiting);
    void finish(std::shared_ptr<Waiting> waiting, const CniReply& reply);
    // Ends those that the condition holds for.
    template <typename Condition>
    void finish_if(Condition&& condition, const CniReply& reply);

    boost::asio::io_context& context_;
    Enforcer& enforcer_;
    const Inventory& inventory_;
    LookFor look_for_;
    WaitingList waiting_;
    Counts counts_;
};

} // namespace weir
