// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/tls.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <string_view>

namespace weir {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr std::string_view kAlpn = "\x08http/1.1";

std::string place_of(const PemSource& source, const char* what) {
    return source.file.empty() ? std::string(what) : what + (" " + source.file);
}

Result<> trust(ssl::context& context, const ApiAccess& access, const Secrets& secrets) {
    if (access.skips_verification) {
        context.set_verify_mode(ssl::verify_none);
        return {};
    }
    context.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
    error_code error;
    if (!access.authorities.is_given()) {
        context.set_default_verify_paths(error);
        if (error) return failure("the system's certificate authorities: " + error.message());
        return {};
    }
    context.add_certificate_authority(asio::buffer(secrets.authorities), error);
    if (!error) return {};
    return failure(place_of(access.authorities, "certificate authority") +
                   ": no valid PEM: " + error.message());
}

Result<> identify(ssl::context& context, const ApiAccess& access, const Secrets& secrets) {
    if (!access.certificate.is_given()) return {};
    error_code error;
    context.use_certificate_chain(asio::buffer(secrets.certificate), error);
    if (error) {
        return failure(place_of(access.certificate, "client certificate") +
                       ": no valid PEM: " + error.message());
    }
    context.use_private_key(asio::buffer(secrets.key), ssl::context::pem, error);
    if (error) {
        return failure(place_of(access.key, "client key") +
                       ": no valid key of the client certificate: " + error.message());
    }
    return {};
}

} // namespace

Result<std::unique_ptr<ssl::context>> tls_context(const ApiAccess& access, const Secrets& secrets) {
    auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_alpn_protos(context->native_handle(),
                            reinterpret_cast<const unsigned char*>(kAlpn.data()),
                            static_cast<unsigned>(kAlpn.size()));
    if (auto trusted = trust(*context, access, secrets); !trusted) {
        return std::unexpected(std::move(trusted.error()));
    }
    if (auto identified = identify(*context, access, secrets); !identified) {
        return std::unexpected(std::move(identified.error()));
    }
    return context;
}

Result<> expect_server_name(SSL* connection, const std::string& name) {
    X509_VERIFY_PARAM* expected = SSL_get0_param(connection);
    error_code is_name;
    asio::ip::make_address(name, is_name);
    if (!is_name) {
        if (X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1) return {};
    } else {
        X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size()) == 1 &&
            SSL_set_tlsext_host_name(connection, name.c_str()) == 1) {
            return {};
        }
    }
    return failure("'" + name + "' can be no name in a certificate: set tls-server-name");
}

std::string verification_error(const SSL* connection, const std::string& name) {
    const long result = SSL_get_verify_result(connection);
    if (result == X509_V_OK) return {};
    const char* text = X509_verify_cert_error_string(result);
    if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        return fmt::format("the server's certificate is not for {} ({}); set tls-server-name", name,
                           text);
    }
    return fmt::format("the server's certificate is not trusted ({}); check certificate-authority",
                       text);
}

} // namespace weir
