// SPDX-License-Identifier: Apache-2.0
// Certificates made on the spot, for tests of TLS.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace weir::test {

class Certificate {
public:
    // names: a subjectAltName as OpenSSL writes it, "IP:127.0.0.1,DNS:localhost". issuer: null for
    // one that signs itself and may sign others.
    explicit Certificate(const std::string& names, const Certificate* issuer = nullptr);

    X509* certificate() const { return certificate_.get(); }
    EVP_PKEY* key() const { return key_.get(); }
    std::string pem() const;
    std::string key_pem() const;

private:
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
    std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

} // namespace weir::test
