// SPDX-License-Identifier: Apache-2.0
#include "tests/support/certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>

namespace weir::test {
namespace {

constexpr long kHour = 3600;

void add_extension(X509* certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

template <typename Write>
std::string written(Write write) {
    BIO* memory = BIO_new(BIO_s_mem());
    write(memory);
    char* data = nullptr;
    const long length = BIO_get_mem_data(memory, &data);
    std::string text(data, static_cast<std::size_t>(length));
    BIO_free(memory);
    return text;
}

} // namespace

Certificate::Certificate(const std::string& names, const Certificate* issuer)
    : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    static std::atomic<long> serial = 1;
    X509* const made = certificate_.get();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made), -kHour);
    X509_gmtime_adj(X509_getm_notAfter(made), kHour);
    X509_set_pubkey(made, key());
    const std::string subject = issuer == nullptr ? "test authority" : "test server";
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    const Certificate& signer = issuer == nullptr ? *this : *issuer;
    X509_set_issuer_name(made, X509_get_subject_name(signer.certificate()));
    if (issuer == nullptr) add_extension(made, NID_basic_constraints, "critical,CA:TRUE");
    if (!names.empty()) add_extension(made, NID_subject_alt_name, names);
    X509_sign(made, signer.key(), EVP_sha256());
}

std::string Certificate::pem() const {
    return written([this](BIO* to) { PEM_write_bio_X509(to, certificate()); });
}

std::string Certificate::key_pem() const {
    return written([this](BIO* to) {
        PEM_write_bio_PrivateKey(to, key(), nullptr, nullptr, 0, nullptr, nullptr);
    });
}

} // namespace weir::test
