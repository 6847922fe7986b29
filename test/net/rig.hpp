// What the tests of net share: a runtime for one body, a pair of connected streams, bytes from text, fibers in lock
// step.
#pragma once

#include "nexus/base/usage_error.hpp"
#include "nexus/net/net.hpp"
#include "nexus/runtime/runtime.hpp"
#include "nexus/runtime/time.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nexus {

/// Runs `body` as the root fiber of a runtime.
template <class F>
void in_runtime(F&& body) {
    World world = WorldBuilder{}.build();
    Runtime runtime{world};
    runtime.block_on(std::forward<F>(body));
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string text_of(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) text.push_back(static_cast<char>(byte));
    return text;
}

/// Bytes that differ from place to place.
inline std::vector<std::byte> pattern(std::size_t size, std::uint32_t seed = 1) {
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<std::byte>(seed >> 24);
    }
    return bytes;
}

/// A folder for sockets, gone with the object.
class TempFolder {
public:
    TempFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "nexus-XXXXXX").string();
        EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string file(std::string_view name) const { return (path_ / name).string(); }

    /// A path that fills the kernel's room for it, so that no zero ends it.
    [[nodiscard]] std::string longest_path() const {
        const std::string folder = file("");
        return folder + std::string(sizeof(sockaddr_un::sun_path) - folder.size(), 'x');
    }

private:
    std::filesystem::path path_;
};

/// A Unix socket at any path, however long.
inline os::Fd bind_raw_unix(int type, std::string_view path) {
    os::Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    struct {
        sockaddr_un local{};
        char end = '\0'; // of the longest path, for checkers that read it as a text
    } address;
    address.local.sun_family = AF_UNIX;
    EXPECT_LE(path.size(), sizeof address.local.sun_path);
    std::copy(path.begin(), path.end(), address.local.sun_path);
    // SAFETY: as bind() has it.
    EXPECT_TRUE(os::bind_raw(fd.get(), reinterpret_cast<const sockaddr*>(&address.local), sizeof address.local));
    return fd;
}

/// Descriptors that this process has.
inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

inline TcpListener listen_on_loopback() { return TcpListener::bind("127.0.0.1:0").value(); }

struct Connected {
    TcpStream client;
    TcpStream server;
};

/// Inside a fiber: two ends of a connection over the loopback interface.
inline Connected connect_pair() {
    TcpListener listener = listen_on_loopback();
    TcpStream client = TcpStream::connect(listener.local_address().value()).value();
    return {std::move(client), listener.accept().value().stream};
}

inline UdpSocket udp_on_loopback() { return UdpSocket::bind("127.0.0.1:0").value(); }

/// Receives one datagram as text.
template <class Socket>
std::string recv_text(Socket& socket, std::size_t size = 256) {
    std::vector<std::byte> buffer(size);
    const auto got = socket.recv(buffer);
    return got ? text_of(std::span(buffer).first(*got)) : got.error().message();
}

/// Reads to the end of the stream.
template <class Reader>
std::vector<std::byte> read_all(Reader& reader) {
    std::vector<std::byte> all;
    std::vector<std::byte> block(64 * 1024);
    for (;;) {
        const std::size_t got = reader.read(block).value();
        if (got == 0) return all;
        all.insert(all.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(got));
    }
}

/// Up to `size` bytes as text, from one read.
template <class Reader>
std::string read_text(Reader& reader, std::size_t size = 256) {
    std::vector<std::byte> buffer(size);
    const std::size_t got = reader.read(buffer).value();
    return text_of(std::span(buffer).first(got));
}

/// Writes until the kernel has no room. Returns how much it took.
template <class Writer>
std::size_t fill(Writer& writer) {
    const std::vector<std::byte> block(64 * 1024);
    std::size_t total = 0;
    for (;;) {
        const auto taken = writer.try_write(block);
        if (!taken) {
            EXPECT_EQ(taken.error(), std::errc::resource_unavailable_try_again);
            return total;
        }
        total += *taken;
    }
}

/// Lets the other fibers, and the descriptors, have their turn until `condition` holds; false after very many turns.
template <class Condition>
bool turns_until(Condition condition) {
    for (int turn = 0; turn < 1'000'000; ++turn) {
        if (condition()) return true;
        yield_now();
    }
    return condition();
}

/// Enough turns for every fiber that can run to have parked.
inline void settle() {
    for (int turn = 0; turn < 300; ++turn) yield_now();
}

} // namespace nexus
