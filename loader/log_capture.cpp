// SPDX-License-Identifier: Apache-2.0
#include "loader/log_capture.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace weir {
namespace {

// libbpf's print function has no context argument.
thread_local std::string* g_text = nullptr;

constexpr std::size_t kMaxText = 1 << 20; // a verifier log can be longer: its end tells
constexpr std::size_t kMaxMessage = 1 << 16;

int keep_message(libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG || g_text == nullptr) return 0;
    std::string message(kMaxMessage, '\0');
    const int length = std::vsnprintf(message.data(), message.size(), format, arguments);
    if (length <= 0) return 0;
    message.resize(std::min(static_cast<std::size_t>(length), kMaxMessage - 1));
    if (g_text->size() > kMaxText) g_text->erase(0, g_text->size() / 2);
    *g_text += message;
    return 0;
}

} // namespace

LogCapture::LogCapture() : outer_(g_text) {
    libbpf_set_print(keep_message);
    g_text = &text_;
}

LogCapture::~LogCapture() {
    g_text = outer_;
}

std::string LogCapture::tail(std::size_t length) const {
    if (text_.size() <= length) return text_;
    const auto line = text_.find('\n', text_.size() - length);
    return text_.substr(line == std::string::npos ? text_.size() - length : line + 1);
}

} // namespace weir
