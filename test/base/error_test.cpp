// Errors as values: what compares equal, what is printed, what value() throws.
#include "nexus/base/error.hpp"

#include <gtest/gtest.h>

namespace {

using nexus::errc;
using nexus::Error;
using nexus::Result;

TEST(Error, message_is_operation_subject_and_reason) {
    EXPECT_EQ(Error::from_errno(EACCES, "bind", "127.0.0.1:80").message(), "bind 127.0.0.1:80: Permission denied");
    EXPECT_EQ(Error(errc::timed_out, "recv").message(), "recv: timed out");
}

TEST(Error, compares_with_both_kinds_of_codes) {
    const Error refused = Error::from_errno(ECONNREFUSED, "connect");
    EXPECT_EQ(refused, std::errc::connection_refused);
    EXPECT_NE(refused, std::errc::timed_out);
    EXPECT_EQ(Error(errc::timed_out, "x"), errc::timed_out);
    EXPECT_EQ(Error(errc::timed_out, "x"), std::errc::timed_out);
    EXPECT_EQ(Error(errc::cancelled, "x"), std::errc::operation_canceled);
    EXPECT_NE(Error(errc::closed, "x"), errc::full);
    EXPECT_EQ(Error(errc::closed, "send"), Error(errc::closed, "recv")); // the operation is not part of it
}

TEST(Error, value_throws_what_message_says) {
    const Result<int> failed = Error::from_errno(EACCES, "bind", "127.0.0.1:80");
    try {
        (void)failed.value();
        FAIL();
    } catch (const std::system_error& error) {
        EXPECT_STREQ(error.what(), "bind 127.0.0.1:80: Permission denied");
        EXPECT_EQ(error.code(), std::errc::permission_denied);
    }
}

TEST(Error, long_subjects_are_cut_and_an_ipv6_address_with_port_fits) {
    const std::string longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    EXPECT_EQ(Error(errc::closed, "x", longest).subject(), longest);
    EXPECT_EQ(Error(errc::closed, "x", longest + "more").subject(), longest);
}

TEST(Error, codes_have_texts_and_work_as_std_error_code) {
    const std::error_code code = errc::full;
    EXPECT_STREQ(code.category().name(), "nexus");
    for (int value = 1; value <= 8; ++value) {
        EXPECT_EQ(nexus::error_category().message(value).find("unknown"), std::string::npos) << value;
    }
    EXPECT_EQ(nexus::error_category().message(99), "unknown error 99");
}

} // namespace
