// AsyncRead and AsyncWrite: what codecs and helpers ask of a stream (IO-10), so that they work with any.
//
// TCP and Unix streams, their halves, AsyncFd, and what users write meet them. "Async" is the seed's word: the calls
// look blocking and suspend the fiber. ReaderRef and WriterRef erase the type, for code that is not a template: views
// of two pointers, without allocation, which must not outlive what they refer to.
#pragma once

#include "nexus/base/error.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nexus {

/// read() suspends until there is something: how many bytes, 0 at the end of the stream, or an error.
template <class T>
concept AsyncRead = requires(T& reader, std::span<std::byte> buffer) {
    { reader.read(buffer) } -> std::same_as<Result<std::size_t>>;
};

/// write() suspends until some of the bytes were taken, and says how many; flush() until what it kept back is on its
/// way; shutdown_write() ends the stream.
template <class T>
concept AsyncWrite = requires(T& writer, std::span<const std::byte> buffer) {
    { writer.write(buffer) } -> std::same_as<Result<std::size_t>>;
    { writer.flush() } -> std::same_as<Result<void>>;
    { writer.shutdown_write() } -> std::same_as<Result<void>>;
};

template <class T>
concept AsyncStream = AsyncRead<T> && AsyncWrite<T>;

/// Any AsyncRead.
class ReaderRef {
public:
    template <AsyncRead Reader>
        requires(!std::same_as<Reader, ReaderRef>)
    ReaderRef(Reader& reader)
    noexcept // NOLINT(google-explicit-constructor): a view, as std::string_view
        : reader_(&reader),
          read_([](void* target, std::span<std::byte> buffer) { return static_cast<Reader*>(target)->read(buffer); }) {}

    [[nodiscard]] Result<std::size_t> read(std::span<std::byte> buffer) { return read_(reader_, buffer); }

private:
    void* reader_;
    Result<std::size_t> (*read_)(void* reader, std::span<std::byte> buffer);
};

/// Any AsyncWrite.
class WriterRef {
public:
    template <AsyncWrite Writer>
        requires(!std::same_as<Writer, WriterRef>)
    WriterRef(Writer& writer)
    noexcept // NOLINT(google-explicit-constructor): a view, as std::string_view
        : writer_(&writer), calls_(&calls_of<Writer>) {}

    [[nodiscard]] Result<std::size_t> write(std::span<const std::byte> buffer) {
        return calls_->write(writer_, buffer);
    }
    [[nodiscard]] Result<void> flush() { return calls_->flush(writer_); }
    [[nodiscard]] Result<void> shutdown_write() { return calls_->shutdown_write(writer_); }

private:
    struct Calls {
        Result<std::size_t> (*write)(void* writer, std::span<const std::byte> buffer);
        Result<void> (*flush)(void* writer);
        Result<void> (*shutdown_write)(void* writer);
    };
    template <class Writer>
    static constexpr Calls calls_of{
        .write = [](void* target,
                    std::span<const std::byte> buffer) { return static_cast<Writer*>(target)->write(buffer); },
        .flush = [](void* target) { return static_cast<Writer*>(target)->flush(); },
        .shutdown_write = [](void* target) { return static_cast<Writer*>(target)->shutdown_write(); }};

    void* writer_;
    const Calls* calls_;
};

/// A reader that ends after `limit` bytes of another one, which must outlive it: for bodies of a known length.
template <AsyncRead Reader>
class LimitedReader {
public:
    LimitedReader(Reader& reader, std::uint64_t limit) noexcept : reader_(&reader), left_(limit) {}

    /// As the other reader's, and 0 when the limit is reached.
    [[nodiscard]] Result<std::size_t> read(std::span<std::byte> buffer) {
        if (left_ == 0) return std::size_t{0};
        auto got = reader_->read(buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left_))));
        if (got) left_ -= *got;
        return got;
    }
    /// What may still come.
    [[nodiscard]] std::uint64_t left() const noexcept { return left_; }

private:
    Reader* reader_;
    std::uint64_t left_;
};

static_assert(AsyncRead<ReaderRef> && AsyncWrite<WriterRef>);

} // namespace nexus
