// Whole transfers over any AsyncRead and AsyncWrite: exactly, to the end, from one to another, both ways at once.
//
// They suspend, and end as the reads and writes that they are made of: the first error is returned, and how far the
// transfer came goes to `transferred` where one is given, also after a failure. They work in fibers only where their
// reader and writer do, and allocate nothing unless they say so.
#pragma once

#include "nexus/net/async_io.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace nexus {

namespace detail {

/// What copy() keeps on the fiber's stack.
inline constexpr std::size_t copy_buffer_size = std::size_t{8} * 1024;

[[nodiscard]] Result<void> read_exact(ReaderRef reader, std::span<std::byte> buffer, std::size_t* transferred);
[[nodiscard]] Result<std::size_t> read_to_end(ReaderRef reader, std::vector<std::byte>& target, std::size_t limit);
[[nodiscard]] Result<void> write_all(WriterRef writer, std::span<const std::byte> buffer, std::size_t* transferred);
[[nodiscard]] Result<std::uint64_t> copy(ReaderRef reader, WriterRef writer, std::span<std::byte> buffer,
                                         std::uint64_t* transferred);

} // namespace detail

/// Fills `buffer`. errc::end_of_stream when the stream ends before.
template <AsyncRead Reader>
[[nodiscard]] Result<void> read_exact(Reader& reader, std::span<std::byte> buffer, std::size_t* transferred = nullptr) {
    return detail::read_exact(reader, buffer, transferred);
}

/// Appends everything up to the end of the stream to `target`, which grows, and returns how much that was. When the
/// stream goes on after `limit` bytes: std::errc::message_size, with `limit` bytes appended and at least one byte read
/// beyond them. After an error `target` has what came before it.
template <AsyncRead Reader>
[[nodiscard]] Result<std::size_t> read_to_end(Reader& reader, std::vector<std::byte>& target, std::size_t limit) {
    return detail::read_to_end(reader, target, limit);
}

/// Writes all of `buffer`.
template <AsyncWrite Writer>
[[nodiscard]] Result<void> write_all(Writer& writer, std::span<const std::byte> buffer,
                                     std::size_t* transferred = nullptr) {
    return detail::write_all(writer, buffer, transferred);
}
template <AsyncWrite Writer>
[[nodiscard]] Result<void> write_all(Writer& writer, std::string_view text, std::size_t* transferred = nullptr) {
    return detail::write_all(writer, std::as_bytes(std::span(text)), transferred);
}

/// Copies everything up to the reader's end, flushes the writer, and leaves it open. How many bytes.
template <AsyncRead Reader, AsyncWrite Writer>
[[nodiscard]] Result<std::uint64_t> copy(Reader& reader, Writer& writer, std::uint64_t* transferred = nullptr) {
    std::array<std::byte, detail::copy_buffer_size> buffer; // 8 KiB of the fiber's stack
    return detail::copy(reader, writer, buffer, transferred);
}
/// The same with a buffer of one's own, which must not be empty (std::errc::invalid_argument).
template <AsyncRead Reader, AsyncWrite Writer>
[[nodiscard]] Result<std::uint64_t> copy(Reader& reader, Writer& writer, std::span<std::byte> buffer,
                                         std::uint64_t* transferred = nullptr) {
    return detail::copy(reader, writer, buffer, transferred);
}

/// What copy_bidirectional() moved.
struct CopiedBothWays {
    std::uint64_t a_to_b = 0;
    std::uint64_t b_to_a = 0;
};

namespace detail {
[[nodiscard]] Result<CopiedBothWays> copy_bidirectional(ReaderRef read_a, WriterRef write_a, ReaderRef read_b,
                                                        WriterRef write_b, CopiedBothWays* transferred);
} // namespace detail

/// Joins two streams, as a proxy does: what comes from one goes to the other, in both directions at once, and the end
/// of one direction is passed on while the other goes on. Returns when both have ended, or when one has failed, which
/// stops the other. One direction runs in a fiber of its own, which has ended when this returns. Fails like any wait
/// when the scope around it ends.
template <AsyncStream A, AsyncStream B>
[[nodiscard]] Result<CopiedBothWays> copy_bidirectional(A& a, B& b, CopiedBothWays* transferred = nullptr) {
    return detail::copy_bidirectional(a, a, b, b, transferred);
}

} // namespace nexus
