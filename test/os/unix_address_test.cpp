#include "nexus/os/unix_address.hpp"

#include "nexus/os/raw_address.hpp"
#include "nexus/os/socket.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <unordered_set>

namespace nexus::os {
namespace {

TEST(UnixAddress, is_unnamed_at_first) {
    const UnixAddress nowhere;
    EXPECT_TRUE(nowhere.unnamed());
    EXPECT_FALSE(nowhere.is_path());
    EXPECT_FALSE(nowhere.is_abstract());
    EXPECT_EQ(nowhere.name(), "");
    EXPECT_EQ(nowhere.to_string(), "(unnamed)");
}

TEST(UnixAddress, parses_paths_and_abstract_names_and_prints_them_back) {
    for (const std::string_view text : {"/run/app.sock", "relative/x", "@name", "./@looks-abstract"}) {
        const UnixAddress address = UnixAddress::parse(text).value();
        EXPECT_EQ(address.is_abstract(), text[0] == '@');
        EXPECT_EQ(address.is_path(), text[0] != '@');
        EXPECT_EQ(address.to_string(), text);
    }
    EXPECT_EQ(UnixAddress::path("@at").value().to_string(), "./@at") << "parsing it must not make it abstract";
    EXPECT_EQ(UnixAddress::abstract(std::string_view("a\x01\0b", 4)).value().to_string(), "@a\\x01\\x00b");
}

TEST(UnixAddress, refuses_what_is_none_and_says_what) {
    const auto check = [](const Result<UnixAddress>& result, std::errc code, std::string_view subject) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error(), code);
        EXPECT_EQ(result.error().subject(), subject);
    };
    check(UnixAddress::parse(""), std::errc::invalid_argument, "");
    check(UnixAddress::parse("@"), std::errc::invalid_argument, "@");
    check(UnixAddress::path(std::string_view("a\0b", 3)), std::errc::invalid_argument, "a");
    const std::string long_path(UnixAddress::max_name + 1, 'x');
    check(UnixAddress::path(long_path), std::errc::filename_too_long, long_path.substr(0, Error::max_subject));
    check(UnixAddress::abstract(long_path), std::errc::filename_too_long, long_path.substr(0, Error::max_subject));
    EXPECT_TRUE(UnixAddress::path(std::string_view(long_path).substr(1)));
    EXPECT_TRUE(UnixAddress::abstract(std::string_view(long_path).substr(1)));
}

TEST(UnixAddress, to_and_from_sockaddr) {
    for (const std::string_view text : {"/run/app.sock", "@name"}) {
        const UnixAddress address = UnixAddress::parse(text).value();
        EXPECT_EQ(UnixAddress::from_sockaddr(address.data(), address.size()).value(), address);
    }
    const UnixAddress path = UnixAddress::path("/x").value();
    EXPECT_EQ(UnixAddress::from_sockaddr(path.data(), path.size() - 1).value(), path) << "the kernel may not count it";
    EXPECT_TRUE(UnixAddress::from_sockaddr(nullptr, 0).value().unnamed());
    sockaddr other{};
    other.sa_family = AF_INET;
    EXPECT_EQ(UnixAddress::from_sockaddr(&other, sizeof other).error(), std::errc::invalid_argument);
    EXPECT_FALSE(UnixAddress::from_sockaddr(path.data(), 1));
}

// A peer may have one; it must not be able to make accept() or recv_from() fail with it.
TEST(UnixAddress, a_path_that_fills_the_kernels_room_without_an_end_is_as_good_as_others) {
    sockaddr_un full{};
    full.sun_family = AF_UNIX;
    std::memset(full.sun_path, 'x', sizeof full.sun_path);
    RawAddress raw{};
    std::memcpy(&raw.storage, &full, sizeof full);
    for (const std::size_t counted : {sizeof full, sizeof full + 1}) { // with and without a zero behind it
        const auto address = UnixAddress::from_sockaddr(raw.data(), static_cast<socklen_t>(counted)).value();
        EXPECT_TRUE(address.is_path());
        EXPECT_EQ(address.name(), std::string(sizeof full.sun_path, 'x'));
        EXPECT_EQ(address.name().data()[sizeof full.sun_path], '\0');
        EXPECT_EQ(address.size(), sizeof full) << "more the kernel does not take";
        EXPECT_EQ(UnixAddress::from_sockaddr(address.data(), address.size()).value(), address);
    }
    EXPECT_FALSE(UnixAddress::from_sockaddr(raw.data(), sizeof full + 2));
    raw.storage = {};
    raw.storage.ss_family = AF_UNIX;
    EXPECT_FALSE(UnixAddress::from_sockaddr(raw.data(), sizeof full + 1)) << "an abstract name has no zero behind it";
}

TEST(UnixAddress, compares_and_hashes_by_kind_and_name) {
    const UnixAddress path = UnixAddress::path("name").value();
    const UnixAddress abstract = UnixAddress::abstract("name").value();
    EXPECT_NE(path, abstract);
    EXPECT_NE(path, UnixAddress{});
    EXPECT_EQ(path, UnixAddress::parse("name").value());
    std::unordered_set<UnixAddress> all{path, abstract, UnixAddress{}, path};
    EXPECT_EQ(all.size(), 3U);
}

TEST(UnixAddress, a_socket_tells_what_it_was_bound_to) {
    Fd fd = open_socket(AF_UNIX, SOCK_DGRAM).value();
    EXPECT_TRUE(local_address<UnixAddress>(fd.get()).value().unnamed());
    ASSERT_TRUE(bind(fd.get(), UnixAddress{})) << "the kernel chooses an abstract name";
    const UnixAddress chosen = local_address<UnixAddress>(fd.get()).value();
    EXPECT_TRUE(chosen.is_abstract());
    EXPECT_FALSE(chosen.name().empty());
}

} // namespace
} // namespace nexus::os
