// The operations of byte streams, once for all that have them: a whole stream, its borrowed and its owned halves.
//
// Derived provides `detail::SocketRecord& record(const char* operation) const` to detail::RecordAccess. Everything here
// belongs to the owner thread. Suspending operations are for fibers (UsageError outside), and share these rules:
//   * an ended scope fails them at once, even when they could be satisfied: timed_out or cancelled, nothing is taken;
//   * one fiber may wait to read and one to write at the same time (H-18); a second one for the same direction is a
//     UsageError;
//   * closing or destroying the socket under a waiting fiber fails its wait with errc::closed;
//   * a stream that never runs dry suspends now and then all the same, so that nobody starves;
//   * system calls that were interrupted are repeated (unlike IO-8), and no SIGPIPE is ever raised:
//   std::errc::broken_pipe.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/net/detail/socket_record.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace nexus {

/// Bytes for reading into several places at once.
using MutableBuffers = std::span<const std::span<std::byte>>;
/// Bytes for writing from several places at once.
using ConstBuffers = std::span<const std::span<const std::byte>>;

template <class Derived>
class ReadOperations {
public:
    /// Suspends until there is something to read. How many bytes were read; 0 at the end of the stream (or when
    /// `buffer` is empty).
    [[nodiscard]] Result<std::size_t> read(std::span<std::byte> buffer) { return self_record("read").read(buffer); }
    /// The same into several buffers, in order, with one system call. At most 64 of them that are not empty are used.
    [[nodiscard]] Result<std::size_t> read_vectored(MutableBuffers buffers) {
        return self_record("read_vectored").read_vectored(buffers);
    }
    /// Suspends until `buffer` is full. errc::end_of_stream when the stream ends before. `transferred`, if given, says
    /// how much was read, also after a failure.
    [[nodiscard]] Result<void> read_exact(std::span<std::byte> buffer, std::size_t* transferred = nullptr) {
        return self_record("read_exact").read_exact(buffer, transferred);
    }
    /// Like read(), but the bytes stay and are read again.
    [[nodiscard]] Result<std::size_t> peek(std::span<std::byte> buffer) { return self_record("peek").peek(buffer); }
    /// Suspends until try_read() has something to report: bytes, the end, or an error (unlike H-19 it looks).
    [[nodiscard]] Result<void> readable() { return self_record("readable").wait_ready(Direction::in, "readable"); }

    /// Does not suspend, also outside fibers: what read() would return, or std::errc::resource_unavailable_try_again
    /// when that would suspend.
    [[nodiscard]] Result<std::size_t> try_read(std::span<std::byte> buffer) {
        return self_record("try_read").try_read(buffer);
    }
    /// Does not suspend.
    [[nodiscard]] Result<std::size_t> try_peek(std::span<std::byte> buffer) {
        return self_record("try_peek").try_peek(buffer);
    }
    /// Does not suspend: whether try_read() has something to report, as far as the loop has heard.
    [[nodiscard]] bool is_readable() { return self_record("is_readable").is_ready(Direction::in); }

    /// Does not suspend. What is buffered can still be read, then comes the end; what arrives later is discarded.
    /// A fiber that waits to read gets the end. That the connection is gone already is no error.
    [[nodiscard]] Result<void> shutdown_read() { return self_record("shutdown_read").shutdown(Direction::in); }

protected:
    ReadOperations() = default;
    ReadOperations(const ReadOperations&) = default;
    ReadOperations& operator=(const ReadOperations&) = default;
    ~ReadOperations() = default;

private:
    [[nodiscard]] detail::SocketRecord& self_record(const char* operation) {
        return detail::RecordAccess::of(static_cast<Derived&>(*this), operation);
    }
};

template <class Derived>
class WriteOperations {
public:
    /// Suspends until there is room. How many bytes the kernel took: at least 1, unless `buffer` is empty.
    [[nodiscard]] Result<std::size_t> write(std::span<const std::byte> buffer) {
        return self_record("write").write(buffer);
    }
    /// The same from several buffers, in order, with one system call. At most 64 of them that are not empty are used.
    [[nodiscard]] Result<std::size_t> write_vectored(ConstBuffers buffers) {
        return self_record("write_vectored").write_vectored(buffers);
    }
    /// Suspends until the kernel has taken all of `buffer`. `transferred`, if given, says how much it took, also after
    /// a failure: a transfer that was cut off can go on from there.
    [[nodiscard]] Result<void> write_all(std::span<const std::byte> buffer, std::size_t* transferred = nullptr) {
        return self_record("write_all").write_all(buffer, transferred);
    }
    [[nodiscard]] Result<void> write_all(std::string_view text, std::size_t* transferred = nullptr) {
        return write_all(std::as_bytes(std::span(text)), transferred);
    }
    /// Like write_all() from any number of buffers, in order.
    [[nodiscard]] Result<void> write_all_vectored(ConstBuffers buffers, std::size_t* transferred = nullptr) {
        return self_record("write_all_vectored").write_all_vectored(buffers, transferred);
    }
    /// Suspends until try_write() has something to report: room for some bytes, or an error. The kernel says so when a
    /// good part of its buffer is free, not for the first byte of it.
    [[nodiscard]] Result<void> writable() { return self_record("writable").wait_ready(Direction::out, "writable"); }

    /// Does not suspend, also outside fibers: what write() would return, or
    /// std::errc::resource_unavailable_try_again when that would suspend.
    [[nodiscard]] Result<std::size_t> try_write(std::span<const std::byte> buffer) {
        return self_record("try_write").try_write(buffer);
    }
    /// Does not suspend: whether try_write() has something to report, as far as the loop has heard.
    [[nodiscard]] bool is_writable() { return self_record("is_writable").is_ready(Direction::out); }

    /// Does not suspend and has nothing to do: what write() took is on its way. For code that is written against
    /// AsyncWrite (IO-10).
    [[nodiscard]] Result<void> flush() {
        if (self_record("flush").open()) return {};
        return Error(errc::closed, "flush");
    }
    /// Does not suspend. The peer reads the end of the stream after what was written. That the connection is gone
    /// already is no error.
    [[nodiscard]] Result<void> shutdown_write() { return self_record("shutdown_write").shutdown(Direction::out); }

protected:
    WriteOperations() = default;
    WriteOperations(const WriteOperations&) = default;
    WriteOperations& operator=(const WriteOperations&) = default;
    ~WriteOperations() = default;

private:
    [[nodiscard]] detail::SocketRecord& self_record(const char* operation) {
        return detail::RecordAccess::of(static_cast<Derived&>(*this), operation);
    }
};

} // namespace nexus
