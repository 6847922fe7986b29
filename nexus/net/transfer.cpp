#include "nexus/net/transfer.hpp"

#include "nexus/exec/scope.hpp"
#include "nexus/exec/wait.hpp"
#include "nexus/sync/task_group.hpp"

#include <algorithm>
#include <cerrno>

namespace nexus::detail {
namespace {

/// What read_to_end() asks for at once at first, and at most.
constexpr std::size_t smallest_read = std::size_t{4} * 1024;
constexpr std::size_t largest_read = std::size_t{256} * 1024;

template <class Count>
void store(Count* transferred, Count value) noexcept {
    if (transferred != nullptr) *transferred = value;
}

/// One direction of copy_bidirectional(): copies, then passes the end on.
Result<void> forward(ReaderRef reader, WriterRef writer, std::uint64_t& transferred) {
    std::array<std::byte, copy_buffer_size> buffer;
    if (auto copied = copy(reader, writer, buffer, &transferred); !copied) return copied.error();
    return writer.shutdown_write();
}

} // namespace

Result<void> read_exact(ReaderRef reader, std::span<std::byte> buffer, std::size_t* transferred) {
    std::size_t done = 0;
    store(transferred, done);
    while (done != buffer.size()) {
        const auto got = reader.read(buffer.subspan(done));
        if (!got) return got.error();
        if (*got == 0) return Error(errc::end_of_stream, "read_exact");
        done += *got;
        store(transferred, done);
    }
    return {};
}

Result<std::size_t> read_to_end(ReaderRef reader, std::vector<std::byte>& target, std::size_t limit) {
    const std::size_t before = target.size();
    std::size_t done = 0;
    for (std::size_t ask = smallest_read;; ask = std::min(2 * ask, largest_read)) {
        // One byte more than allowed, to tell the end from too much.
        const std::size_t room = std::min(ask, limit - done) + (limit - done < ask ? 1 : 0);
        target.resize(before + done + room);
        const auto got = reader.read(std::span(target).last(room));
        done += got ? *got : 0;
        target.resize(before + std::min(done, limit));
        if (!got) return got.error();
        if (done > limit) return Error::from_errno(EMSGSIZE, "read_to_end");
        if (*got == 0) return done;
    }
}

Result<void> write_all(WriterRef writer, std::span<const std::byte> buffer, std::size_t* transferred) {
    std::size_t done = 0;
    store(transferred, done);
    while (done != buffer.size()) {
        const auto taken = writer.write(buffer.subspan(done));
        if (!taken) return taken.error();
        // It took nothing and does not say why; going on would be an endless loop.
        if (*taken == 0) return Error::from_errno(EIO, "write_all");
        done += *taken;
        store(transferred, done);
    }
    return {};
}

Result<std::uint64_t> copy(ReaderRef reader, WriterRef writer, std::span<std::byte> buffer,
                           std::uint64_t* transferred) {
    std::uint64_t done = 0;
    store(transferred, done);
    if (buffer.empty()) return Error::from_errno(EINVAL, "copy");
    for (;;) {
        const auto got = reader.read(buffer);
        if (!got) return got.error();
        if (*got == 0) break;
        std::size_t written = 0;
        auto result = write_all(writer, buffer.first(*got), &written);
        done += written;
        store(transferred, done);
        if (!result) return result.error();
    }
    if (auto flushed = writer.flush(); !flushed) return flushed.error();
    return done;
}

Result<CopiedBothWays> copy_bidirectional(ReaderRef read_a, WriterRef write_a, ReaderRef read_b, WriterRef write_b,
                                          CopiedBothWays* transferred) {
    constexpr const char* operation = "copy_bidirectional";
    Executor& executor = Executor::of_current_fiber(operation);
    Task& me = executor.current_task();
    CopiedBothWays copied;
    CopiedBothWays& counts = transferred != nullptr ? *transferred : copied;
    counts = {};
    Result<void> there;
    std::optional<Result<void>> back;
    Scope* open = nullptr; // of the direction that runs here, while it does
    TaskGroup group;       // after what its child refers to
    group.spawn({.name = operation}, [&] {
        try {
            back = forward(read_b, write_a, counts.b_to_a);
        } catch (...) {
            if (open != nullptr) open->end_from_outside();
            throw;
        }
        if (!*back && open != nullptr) open->end_from_outside();
        executor.wake(me);
    });
    {
        Scope scope(Scope::never_ns, operation);
        struct Open {
            Open(Scope*& place, Scope& of) : scope(place) { scope = &of; }
            Open(const Open&) = delete;
            Open& operator=(const Open&) = delete;
            ~Open() { scope = nullptr; }
            Scope*& scope;
        } const while_it_lives(open, scope);
        there = scope.run(operation, [&]() -> Result<void> {
            if (auto forwarded = forward(read_a, write_b, counts.a_to_b); !forwarded) return forwarded;
            const WaitEnd end = wait_or_fail(executor, operation, [&] { return back.has_value(); });
            if (end != WaitEnd::ready) return Error(to_errc(end), operation);
            return {};
        });
    }
    if (group.failures() != 0) group.join_all(); // throws what the other fiber threw
    if (back && !*back) return back->error();
    if (there) return counts;
    group.abort_all();
    return there.error();
}

} // namespace nexus::detail
