// Records for tests of byte channels: texts, and numbers that fill a record so that a torn one shows.
#pragma once

#include "nexus/sync/byte_ends.hpp"
#include "test/sync/fibers.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace nexus_test {

inline std::span<const std::byte> as_record(std::string_view text) { return std::as_bytes(std::span(text)); }

template <class Claim>
std::string text_of(const Claim& claim) {
    std::string text(claim.size(), '\0');
    std::memcpy(text.data(), claim.data(), claim.size());
    return text;
}

/// Every byte depends on the number and on its place.
inline std::byte mark(std::uint32_t number, std::size_t at) {
    return static_cast<std::byte>((number * 2654435761U + at * 40503U) >> 8U);
}
/// At least 4 bytes: the number, then marks.
inline void write_number(std::span<std::byte> bytes, std::uint32_t number) {
    for (std::size_t i = sizeof number; i < bytes.size(); ++i) bytes[i] = mark(number, i);
    std::memcpy(bytes.data(), &number, sizeof number);
}
/// The number, or ~0 when the bytes are not what write_number() makes of it.
inline std::uint32_t read_number(std::span<const std::byte> bytes) {
    std::uint32_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    for (std::size_t i = sizeof number; i < bytes.size(); ++i) {
        if (bytes[i] != mark(number, i)) return ~std::uint32_t{0};
    }
    return number;
}

/// The number in what a receive returned; ~0 when it failed.
template <class Claim>
std::uint32_t read_number(const nexus::Result<Claim>& got) {
    return got ? read_number(got->bytes()) : ~std::uint32_t{0};
}
template <class Claim>
std::string text_of(const nexus::Result<Claim>& got) {
    return got ? text_of(*got) : "nothing";
}

/// Tasks that are not freed once everything that is due was done: what another thread let go of takes two cycles.
inline std::size_t tasks_left(Fibers& fibers) {
    fibers.settle();
    fibers.settle();
    return fibers.executor().outstanding_tasks();
}

/// Sends one number in a record of `size` bytes; true when that worked at once.
template <class Sender>
bool try_put(Sender& sender, std::uint32_t number, std::size_t size) {
    auto claim = sender.try_claim(size);
    if (!claim) return false;
    write_number(claim->bytes(), number);
    claim->commit();
    return true;
}
template <class Sender>
nexus::Result<void> put(Sender& sender, std::uint32_t number, std::size_t size) {
    auto claim = sender.claim(size);
    if (!claim) return claim.error();
    write_number(claim->bytes(), number);
    claim->commit();
    return {};
}

} // namespace nexus_test
