// What is cold in the byte channels: their limits, and the reports of mistakes.
#include "nexus/base/usage_error.hpp"
#include "nexus/sync/byte_ends.hpp"

#include <array>
#include <bit>
#include <cstdio>
#include <string>
#include <system_error>

namespace nexus::detail {

std::size_t checked_byte_capacity(std::size_t asked) {
    constexpr std::size_t least = 16;
    constexpr std::size_t most = std::size_t{1} << 31U;
    if (asked < least || asked > most) {
        throw UsageError("a byte channel of " + std::to_string(asked) +
                         " bytes was asked for: it must have from 16 bytes to 2 GiB");
    }
    return std::bit_ceil(asked);
}

void throw_empty_claim(const char* operation) {
    throw UsageError(std::string(operation) +
                     "() of 0 bytes: a record has at least one byte; send what the empty one would have meant as a "
                     "byte of its own");
}

void throw_bad_commit(bool open, std::size_t size, std::size_t claimed) {
    if (!open) {
        throw UsageError("commit() of a write claim that has ended: it was committed, given up or moved from; make a "
                         "new one");
    }
    throw UsageError("commit(" + std::to_string(size) + ") of a write claim of " + std::to_string(claimed) +
                     " bytes: commit from 1 byte to what was claimed, or let the claim go to send nothing");
}

void throw_second_read_claim(const char* operation) {
    throw UsageError(std::string(operation) +
                     "() while a record of the same byte channel is still lent out: let the ReadClaim go, or release() "
                     "it, before the next record");
}

void throw_second_write_claim(const char* operation) {
    throw UsageError(std::string(operation) +
                     "() while a write claim of the same spsc_bytes channel is open: commit it or let it go first; "
                     "mpsc_bytes takes any number");
}

void throw_second_byte_sender(const char* operation) {
    throw UsageError(
        std::string(operation) +
        "() while another fiber waits for room in the same spsc_bytes channel: it has one sending end, for "
        "one fiber at a time; mpsc_bytes takes any number of senders");
}

void throw_too_many_claims() {
    throw UsageError("a fiber with 255 open write claims asked for one more: commit them first");
}

Error record_too_large(const char* operation, std::size_t size, std::size_t most) noexcept {
    std::array<char, Error::max_subject + 1> subject{};
    // Cut off where it is too long, which takes more than the largest ring.
    (void)std::snprintf(subject.data(), subject.size(), "%zu bytes, at most %zu", size, most);
    return {std::make_error_code(std::errc::message_size), operation, subject.data()};
}

} // namespace nexus::detail
