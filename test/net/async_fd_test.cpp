#include "nexus/net/async_fd.hpp"

#include "nexus/reactor/io_handle.hpp"
#include "nexus/sync/select.hpp"
#include "test/net/rig.hpp"
#include "test/os/fault.hpp"

#include <csignal>
#include <fcntl.h>
#include <memory>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace nexus {
namespace {

using namespace std::chrono_literals;

struct Pipe {
    Pipe() {
        std::array<int, 2> fds{};
        EXPECT_EQ(::pipe(fds.data()), 0); // blocking, inherited: as somebody else makes it
        read = AsyncFd::from_fd(os::Fd(fds[0])).value();
        write = AsyncFd::from_fd(os::Fd(fds[1])).value();
    }
    AsyncFd read = AsyncFd::from_fd(os::Fd(::eventfd(0, 0))).value();
    AsyncFd write = AsyncFd::from_fd(os::Fd(::eventfd(0, 0))).value();
};

// proves: NET-12
TEST(AsyncFd, a_pipe_carries_bytes_and_its_end) {
    in_runtime([] {
        Pipe pipe;
        EXPECT_NE(::fcntl(pipe.read.fd(), F_GETFL) & O_NONBLOCK, 0);
        EXPECT_NE(::fcntl(pipe.read.fd(), F_GETFD) & FD_CLOEXEC, 0);
        auto reader = spawn([&] { return read_text(pipe.read); });
        settle();
        EXPECT_FALSE(reader.is_finished());
        EXPECT_EQ(pipe.write.write(bytes_of("through")).value(), 7U);
        EXPECT_EQ(reader.join(), "through");
        EXPECT_TRUE(pipe.write.flush());
        ASSERT_TRUE(pipe.write.shutdown_write());
        EXPECT_FALSE(pipe.write.is_open());
        EXPECT_EQ(read_text(pipe.read), "");
        EXPECT_EQ(pipe.write.flush().error(), errc::closed);
        EXPECT_EQ(pipe.write.shutdown_write().error(), errc::closed);
    });
}

TEST(AsyncFd, a_writer_waits_while_the_pipe_is_full) {
    in_runtime([] {
        Pipe pipe;
        (void)fill(pipe.write);
        EXPECT_FALSE(pipe.write.is_writable());
        auto writer = spawn([&] { return pipe.write.write(bytes_of("x")).value(); });
        settle();
        EXPECT_FALSE(writer.is_finished());
        std::vector<std::byte> block(1 << 20);
        EXPECT_TRUE(pipe.read.read(block));
        EXPECT_EQ(writer.join(), 1U);
    });
}

TEST(AsyncFd, a_pipe_without_reader_breaks_and_raises_no_signal) {
    in_runtime([] {
        // Were it raised, it would end the process.
        ASSERT_NE(std::signal(SIGPIPE, SIG_DFL), SIG_ERR);
        Pipe pipe;
        pipe.read.close();
        EXPECT_EQ(pipe.write.write(bytes_of("x")).error(), std::errc::broken_pipe);
        EXPECT_EQ(pipe.write.try_write(bytes_of("x")).error(), std::errc::broken_pipe);
    });
}

TEST(AsyncFd, an_eventfd_is_read_as_its_counter) {
    in_runtime([] {
        AsyncFd event = AsyncFd::from_fd(os::Fd(::eventfd(0, EFD_CLOEXEC))).value();
        std::uint64_t value = 0;
        auto reader = spawn([&] { return event.read(std::as_writable_bytes(std::span(&value, 1))).value(); });
        settle();
        EXPECT_FALSE(reader.is_finished());
        const std::uint64_t three = 3;
        ASSERT_EQ(event.write(std::as_bytes(std::span(&three, 1))).value(), 8U);
        EXPECT_EQ(reader.join(), 8U);
        EXPECT_EQ(value, 3U);
    });
}

TEST(AsyncFd, a_timerfd_ends_a_wait) {
    in_runtime([] {
        AsyncFd timer = AsyncFd::from_fd(os::Fd(::timerfd_create(CLOCK_MONOTONIC, 0))).value();
        const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 100'000}};
        ASSERT_EQ(::timerfd_settime(timer.fd(), 0, &soon, nullptr), 0);
        ASSERT_TRUE(timer.readable());
        std::uint64_t expirations = 0;
        EXPECT_EQ(timer.try_read(std::as_writable_bytes(std::span(&expirations, 1))).value(), 8U);
        EXPECT_EQ(expirations, 1U);
    });
}

TEST(AsyncFd, io_repeats_a_call_until_it_would_not_block) {
    in_runtime([] {
        Pipe pipe;
        int tries = 0;
        const auto receive = [&](int fd) -> Result<char> {
            ++tries;
            char c = 0;
            if (::read(fd, &c, 1) == 1) return c;
            return Error::from_errno(errno, "receive");
        };
        EXPECT_EQ(pipe.read.try_io(Direction::in, receive).error(), std::errc::resource_unavailable_try_again);
        auto waiting = spawn([&] { return pipe.read.io(Direction::in, receive).value(); });
        settle();
        EXPECT_EQ(tries, 1) << "known to be empty, so nothing is tried";
        ASSERT_TRUE(pipe.write.write(bytes_of("c")));
        EXPECT_EQ(waiting.join(), 'c');
        EXPECT_EQ(tries, 2);
        const auto failing = pipe.read.io(Direction::in, [](int) -> Result<char> { return Error(errc::full, "x"); });
        EXPECT_EQ(failing.error(), errc::full) << "every other outcome is the caller's";
    });
}

TEST(AsyncFd, readable_is_true_of_this_moment_whatever_others_read) {
    in_runtime([] {
        Pipe pipe;
        ASSERT_TRUE(pipe.write.write(bytes_of("x")));
        ASSERT_TRUE(pipe.read.readable());
        char c = 0;
        ASSERT_EQ(::read(pipe.read.fd(), &c, 1), 1); // past the object
        EXPECT_FALSE(pipe.read.is_readable());
        auto waiting = spawn([&] { return pipe.read.readable().has_value(); });
        settle();
        EXPECT_FALSE(waiting.is_finished());
        ASSERT_TRUE(pipe.write.write(bytes_of("y")));
        EXPECT_TRUE(waiting.join());
        EXPECT_TRUE(pipe.write.writable());
    });
}

TEST(AsyncFd, a_question_that_was_interrupted_is_asked_again) {
    in_runtime([] {
        Pipe pipe;
        const os::Fault<&os::Calls::poll> interrupted{EINTR, 2};
        auto waiting = spawn([&] { return pipe.read.readable().has_value(); });
        settle();
        EXPECT_FALSE(waiting.is_finished());
        EXPECT_EQ(interrupted.calls_seen(), 3);
        ASSERT_TRUE(pipe.write.write(bytes_of("x")));
        EXPECT_TRUE(waiting.join());
    });
}

TEST(AsyncFd, what_is_watched_stays_its_owners) {
    in_runtime([] {
        std::array<int, 2> fds{};
        ASSERT_EQ(::pipe2(fds.data(), O_NONBLOCK), 0);
        const os::Fd reading(fds[0]);
        const os::Fd writing(fds[1]);
        const int flags = ::fcntl(fds[0], F_GETFD);
        AsyncFd watched = AsyncFd::watch(fds[0]).value();
        EXPECT_EQ(::fcntl(fds[0], F_GETFD), flags);
        EXPECT_THROW((void)std::move(watched).into_fd(), UsageError);
        auto waiting = spawn([&] { return watched.readable().has_value(); });
        settle();
        ASSERT_EQ(::write(fds[1], "x", 1), 1);
        EXPECT_TRUE(waiting.join());
        EXPECT_EQ(AsyncFd::watch(fds[1]).value().shutdown_write().error(), std::errc::operation_not_supported);
        watched.close();
        EXPECT_EQ(watched.fd(), -1);
        EXPECT_NE(::fcntl(fds[0], F_GETFD), -1) << "the descriptor is still open";
        { AsyncFd again = AsyncFd::watch(fds[0]).value(); }
        EXPECT_NE(::fcntl(fds[0], F_GETFD), -1);
    });
}

TEST(AsyncFd, sockets_are_written_without_signal_and_half_closed) {
    in_runtime([] {
        auto ends = UnixStream::pair().value();
        AsyncFd fd = AsyncFd::from_fd(std::move(ends.first).into_fd()).value();
        EXPECT_EQ(fd.write(bytes_of("hello")).value(), 5U);
        EXPECT_EQ(read_text(ends.second), "hello");
        ASSERT_TRUE(fd.shutdown_write());
        EXPECT_EQ(read_text(ends.second), "");
        ASSERT_TRUE(ends.second.write_all("still reading"));
        EXPECT_EQ(read_text(fd), "still reading");
        EXPECT_EQ(fd.write(bytes_of("x")).error(), std::errc::broken_pipe);
    });
}

TEST(AsyncFd, files_on_disks_are_always_ready) {
    in_runtime([] {
        const TempFolder folder;
        os::Fd file(::open(folder.file("f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        AsyncFd fd = AsyncFd::from_fd(std::move(file)).value();
        EXPECT_TRUE(fd.readable());
        EXPECT_EQ(fd.write(bytes_of("text")).value(), 4U);
        ASSERT_EQ(::lseek(fd.fd(), 0, SEEK_SET), 0);
        EXPECT_EQ(read_text(fd), "text");
        EXPECT_EQ(read_text(fd), "");
    });
}

// epoll does not take them (EPERM), and whoever asks for more than trying hears that.
TEST(AsyncFd, files_on_disks_can_be_selected_on_but_not_registered) {
    in_runtime([] {
        const TempFolder folder;
        os::Fd file(::open(folder.file("f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        AsyncFd fd = AsyncFd::from_fd(std::move(file)).value();
        EXPECT_EQ(select(readable(fd.io_source())), 0U);
        EXPECT_EQ(select(writable(fd.io_source())), 0U);
        EXPECT_EQ(IoHandle::current().register_source(fd.io_source()).error(), std::errc::operation_not_permitted);
        const auto never = fd.io(Direction::in, [](int) -> Result<void> { return Error::from_errno(EAGAIN, "never"); });
        EXPECT_EQ(never.error(), std::errc::operation_not_permitted);
        EXPECT_EQ(IoHandle::current().source_count(), 0U);
        fd.close();
        EXPECT_EQ(fd.readable().error(), errc::closed);
    });
}

TEST(AsyncFd, closing_and_deadlines_end_waits) {
    in_runtime([] {
        Pipe pipe;
        std::array<std::byte, 4> buffer{};
        const auto late = timeout(1ms, [&] { return pipe.read.read(buffer); });
        EXPECT_EQ(late.error(), errc::timed_out);
        auto reading = spawn([&] { return pipe.read.read(buffer).error(); });
        settle();
        pipe.read.close();
        EXPECT_EQ(reading.join(), errc::closed);
        EXPECT_EQ(pipe.read.readable().error(), errc::closed);
        EXPECT_EQ(pipe.read.try_read(buffer).error(), errc::closed);
        EXPECT_EQ(pipe.read.try_io(Direction::in, [](int) -> Result<void> { return {}; }).error(), errc::closed);
    });
}

TEST(AsyncFd, destroying_it_under_a_writer_is_closing_it) {
    in_runtime([] {
        auto pipe = std::make_unique<Pipe>();
        AsyncFd& out = pipe->write;
        (void)fill(out);
        auto writing = spawn([&out] { return out.write(bytes_of("x")).error(); });
        settle();
        pipe.reset();
        EXPECT_EQ(writing.join(), errc::closed);
    });
}

TEST(AsyncFd, gives_its_descriptor_back) {
    Pipe pipe;
    const int number = pipe.read.fd();
    const os::Fd fd = std::move(pipe.read).into_fd();
    EXPECT_EQ(fd.get(), number);
    EXPECT_EQ(AsyncFd::from_fd(os::Fd{}).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(AsyncFd::watch(-1).error(), std::errc::bad_file_descriptor);
}

} // namespace
} // namespace nexus
