#include "nexus/net/async_io.hpp"

#include "test/net/rig.hpp"

#include <deque>

namespace nexus {
namespace {

// IO-10: what a codec may be written against.
static_assert(AsyncStream<TcpStream> && AsyncStream<UnixStream> && AsyncStream<AsyncFd>);
static_assert(AsyncRead<ReadHalf> && !AsyncWrite<ReadHalf>);
static_assert(AsyncWrite<WriteHalf> && !AsyncRead<WriteHalf>);
static_assert(AsyncRead<OwnedReadHalf> && AsyncWrite<OwnedWriteHalf>);
static_assert(AsyncRead<UnixStream::ReadHalf> && AsyncWrite<UnixStream::OwnedWriteHalf>);
static_assert(AsyncRead<ReaderRef> && AsyncWrite<WriterRef> && AsyncRead<LimitedReader<TcpStream>>);
static_assert(!AsyncRead<UdpSocket> && !AsyncWrite<UdpSocket>, "datagrams are no stream");
static_assert(!AsyncRead<std::string> && !AsyncWrite<int>);

/// A reader and writer of one's own, in memory.
struct Memory {
    Result<std::size_t> read(std::span<std::byte> buffer) {
        std::size_t count = 0;
        while (count < buffer.size() && !bytes.empty()) {
            buffer[count++] = bytes.front();
            bytes.pop_front();
        }
        return count;
    }
    Result<std::size_t> write(std::span<const std::byte> buffer) {
        bytes.insert(bytes.end(), buffer.begin(), buffer.end());
        return buffer.size();
    }
    Result<void> flush() {
        ++flushes;
        return {};
    }
    Result<void> shutdown_write() {
        ended = true;
        return {};
    }
    std::deque<std::byte> bytes;
    int flushes = 0;
    bool ended = false;
};
static_assert(AsyncStream<Memory>);

TEST(AsyncIo, IO10_references_erase_the_type_and_forward_every_call) {
    Memory memory;
    WriterRef writer = memory;
    ReaderRef reader = memory;
    EXPECT_EQ(writer.write(bytes_of("hello")).value(), 5U);
    EXPECT_TRUE(writer.flush());
    EXPECT_TRUE(writer.shutdown_write());
    EXPECT_EQ(memory.flushes, 1);
    EXPECT_TRUE(memory.ended);
    ReaderRef copy = reader;
    EXPECT_EQ(read_text(copy), "hello");
}

// proves: AsyncRead, AsyncWrite
TEST(AsyncIo, IO10_one_function_serves_every_kind_of_stream) {
    in_runtime([] {
        // No template: what a compiled codec looks like.
        const auto answer = [](ReaderRef in, WriterRef out) {
            const std::string question = read_text(in);
            EXPECT_TRUE(out.write(bytes_of("re: " + question)));
        };
        Connected tcp = connect_pair();
        ASSERT_TRUE(tcp.client.write_all("tcp"));
        answer(tcp.server, tcp.server);
        EXPECT_EQ(read_text(tcp.client), "re: tcp");
        auto local = UnixStream::pair().value();
        ASSERT_TRUE(local.first.write_all("unix"));
        auto halves = local.second.split();
        answer(halves.read, halves.write);
        EXPECT_EQ(read_text(local.first), "re: unix");
    });
}

TEST(AsyncIo, a_limited_reader_ends_where_it_was_told) {
    Memory memory;
    ASSERT_TRUE(memory.write(bytes_of("headbody")));
    LimitedReader head(memory, 4);
    EXPECT_EQ(head.left(), 4U);
    EXPECT_EQ(read_text(head, 3), "hea");
    EXPECT_EQ(read_text(head), "d");
    EXPECT_EQ(head.left(), 0U);
    EXPECT_EQ(read_text(head), "");
    EXPECT_EQ(read_text(memory), "body") << "the rest is untouched";
}

} // namespace
} // namespace nexus
