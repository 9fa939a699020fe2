// SPDX-License-Identifier: Apache-2.0
#include "agent/succession.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "agent/cli/client.h"
#include "agent/config.h"

namespace weir {
namespace {

constexpr std::chrono::milliseconds kLook{100};
constexpr std::chrono::milliseconds kEagerLook{5};
// The one that an agent yielded to has that long to take the lock before the old one looks again.
constexpr std::chrono::seconds kGrace{3};
// That the lock has to be free before one that stands by takes it.
constexpr std::chrono::milliseconds kCourtesy{500};
constexpr std::chrono::seconds kPromise{10}; // from the answer of an agent to its lock
constexpr std::chrono::seconds kAskAgain{2};

constexpr const char* kStandBy = "--standby";

} // namespace

Succession::Succession(boost::asio::io_context& context, const Config& config, Handlers handlers)
    : context_(context),
      config_(config),
      handlers_(std::move(handlers)),
      timer_(context),
      first_look_(Clock::now() + (config.stands_by ? kGrace : std::chrono::seconds(0))) {
    say(config.stands_by ? "standing by: another agent has taken over this node"
                         : "another agent enforces; this one prepares to take over");
    boost::asio::post(context_, [this] { look(); });
}

Succession::~Succession() = default;

void Succession::look() {
    const auto now = Clock::now();
    if (now >= first_look_) {
        auto lock = RunLock::take(config_.run_dir, config_.bpffs);
        const bool is_held = !lock && lock.error().code == EWOULDBLOCK;
        if (is_held) free_since_.reset();
        if (lock && config_.stands_by && !std::exchange(free_since_, now)) {
            // Between two others, perhaps: the one that was yielded to goes first.
            first_look_ = now + kCourtesy;
        } else if (lock) {
            spdlog::info("no other agent holds the lock: this one enforces from now on");
            return handlers_.on_turn(std::move(*lock));
        }
        if (!lock && !is_held) say(lock.error().what);
    }
    if (!config_.stands_by && !is_asking_ && now >= next_question_) ask_when_prepared();
    timer_.expires_after(promised_ ? kEagerLook : kLook);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) look();
    });
}

void Succession::ask_when_prepared() {
    if (std::exchange(promised_, std::nullopt)) {
        say("the running agent said that it yields and still holds the lock; it is asked again");
    }
    if (const auto prepared = handlers_.is_prepared(); !prepared) return say(prepared.error().what);
    ask();
}

void Succession::ask() {
    is_asking_ = true;
    boost::asio::post(asker_, [this, run_dir = config_.run_dir] {
        const auto answer = cli::ControlClient(run_dir).yield();
        Result<> result;
        if (!answer) result = failure(answer.error().message);
        boost::asio::post(context_, [this, result] { take_answer(result); });
    });
}

void Succession::take_answer(const Result<>& answer) {
    is_asking_ = false;
    if (answer) {
        promised_ = Clock::now() + kPromise;
        next_question_ = *promised_;
        return say("the running agent yields");
    }
    next_question_ = Clock::now() + kAskAgain;
    say("the running agent has not yielded: " + answer.error().what +
        "; this one goes on asking, and takes over when the other ends (its liveness probe, or "
        "somebody, has to end it if it hangs)");
}

void Succession::say(const std::string& text) {
    if (text == state_) return;
    state_ = text;
    spdlog::info("{}", text);
}

Error stand_by() {
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size(); at = text.find('\0', at) + 1)
        words.emplace_back(text.c_str() + at);
    if (std::ranges::find(words, kStandBy) == words.end()) words.emplace_back(kStandBy);
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv("/proc/self/exe", arguments.data());
    return Error::from_errno("run this program again, standing by");
}

} // namespace weir
