// RecvBatch and SendBatch: many datagrams in one system call (recvmmsg, sendmmsg), without allocating.
//
// A batch allocates when it is made and is used again and again. Both are move-only, belong to no socket, and must not
// be used by two fibers at the same time. One that was moved from is empty and has no room.
// Invariant: the kernel's message headers point into the batch's own arrays, which never grow, and move along with it.
#pragma once

#include "nexus/net/address.hpp"
#include "nexus/os/datagram.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace nexus {

class UdpSocket;

namespace detail {

/// A count that goes along when its object is moved, and makes that object move-only.
class MovedCount {
public:
    MovedCount() noexcept = default;
    MovedCount(MovedCount&& other) noexcept : value(std::exchange(other.value, 0)) {}
    MovedCount& operator=(MovedCount&& other) noexcept {
        value = std::exchange(other.value, 0);
        return *this;
    }
    ~MovedCount() = default;

    std::size_t value = 0;
};

} // namespace detail

/// Room for datagrams, and those that the last UdpSocket::recv_batch() brought, in the order of arrival.
class RecvBatch {
public:
    /// Room for `count` datagrams (the kernel takes at most 1024 at once) of `bytes_each`. Throws UsageError when
    /// either is 0.
    RecvBatch(std::size_t count, std::size_t bytes_each);

    /// One of them. `bytes` stay where they are until the batch is received into again.
    struct Datagram {
        std::span<std::byte> bytes;
        std::size_t full_size; ///< what the sender sent; more than bytes.size() when there was no room
        SocketAddress from;
        std::optional<os::ReceiveTime> time; ///< of arrival; after set_receive_timestamps(true)
        std::uint32_t dropped = 0;           ///< after set_drop_reports(true)

        [[nodiscard]] bool truncated() const noexcept { return full_size > bytes.size(); }
    };

    [[nodiscard]] std::size_t size() const noexcept { return filled_.value; }
    [[nodiscard]] bool empty() const noexcept { return filled_.value == 0; }
    [[nodiscard]] std::size_t capacity() const noexcept { return headers_.size(); }
    [[nodiscard]] std::size_t bytes_each() const noexcept { return bytes_each_; }
    /// `index` is less than size().
    [[nodiscard]] Datagram operator[](std::size_t index) const noexcept;

    /// For `for (const auto& datagram : batch)`.
    class Iterator {
    public:
        using value_type = Datagram;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        [[nodiscard]] Datagram operator*() const noexcept { return (*batch_)[index_]; }
        Iterator& operator++() noexcept {
            ++index_;
            return *this;
        }
        Iterator operator++(int) noexcept { return {batch_, index_++}; }
        friend bool operator==(const Iterator& a, const Iterator& b) noexcept { return a.index_ == b.index_; }

    private:
        friend class RecvBatch;
        Iterator(const RecvBatch* batch, std::size_t index) noexcept : batch_(batch), index_(index) {}
        const RecvBatch* batch_ = nullptr;
        std::size_t index_ = 0;
    };
    [[nodiscard]] Iterator begin() const noexcept { return {this, 0}; }
    [[nodiscard]] Iterator end() const noexcept { return {this, size()}; }

private:
    friend class UdpSocket;
    struct Place {
        sockaddr_in6 from;
        os::DatagramControl control;
    };

    /// Empties the batch and fills it with what one system call brings.
    [[nodiscard]] Result<std::size_t> receive(int fd) noexcept;

    std::size_t bytes_each_;
    detail::MovedCount filled_;
    detail::MovedCount spoilt_; ///< headers that the kernel has written to
    std::vector<mmsghdr> headers_;
    std::vector<iovec> parts_;
    std::vector<Place> places_;
    mutable std::vector<std::byte> bytes_; ///< whoever reads a datagram may change its bytes
};

/// Datagrams to be sent by UdpSocket::send_batch(), in this order. It refers to their bytes, which must stay until they
/// were sent.
class SendBatch {
public:
    /// Throws UsageError when `capacity` is 0.
    explicit SendBatch(std::size_t capacity);

    /// Adds one for the address to which the socket is connected, or for `to`. False, and nothing changes, when the
    /// batch is full.
    [[nodiscard]] bool push(std::span<const std::byte> bytes) noexcept;
    [[nodiscard]] bool push(std::span<const std::byte> bytes, const SocketAddress& to) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_.value; }
    [[nodiscard]] std::size_t capacity() const noexcept { return headers_.size(); }
    [[nodiscard]] bool full() const noexcept { return size() == capacity(); }
    /// How many, from the first on, were sent or skipped.
    [[nodiscard]] std::size_t sent() const noexcept { return sent_.value; }
    [[nodiscard]] bool done() const noexcept { return sent() == size(); }
    /// Gives up the next one to be sent: the one that failed. No effect when all are done.
    void skip() noexcept {
        if (!done()) ++sent_.value;
    }
    /// Forgets all of them.
    void clear() noexcept { size_.value = sent_.value = 0; }

private:
    friend class UdpSocket;
    [[nodiscard]] std::span<mmsghdr> rest() noexcept { return std::span(headers_).subspan(sent(), size() - sent()); }

    detail::MovedCount size_;
    detail::MovedCount sent_;
    std::vector<mmsghdr> headers_;
    std::vector<iovec> parts_;
    std::vector<SocketAddress> addresses_;
};

} // namespace nexus
