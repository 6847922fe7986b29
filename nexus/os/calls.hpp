// Calls: every system call that the library makes on the event path and for sockets, as one replaceable table.
//
// This is the seam for fault injection, simulation and replay (rule 9): no code outside this module makes these calls
// directly. The table in use belongs to a thread; by default it is the real one. Entries keep the contract of the C
// functions they are named after: -1 (or MAP_FAILED, or 0 for if_nametoindex) and errno on failure.
// Invariant: the pointer to the table in use is never null, and its table outlives its use.
#pragma once

#include <cerrno>
#include <cstddef>
#include <ctime>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace nexus::os {

/// Plain function pointers, so that a table can be copied and changed entry by entry.
struct Calls {
    int (*epoll_create1)(int flags);
    int (*epoll_ctl)(int epoll, int operation, int fd, epoll_event* event);
    int (*epoll_wait)(int epoll, epoll_event* events, int capacity, int timeout_ms);
    int (*timerfd_create)(int clock, int flags);
    int (*timerfd_settime)(int fd, int flags, const itimerspec* wanted, itimerspec* previous);
    int (*eventfd)(unsigned initial, int flags);

    ssize_t (*read)(int fd, void* buffer, std::size_t size);
    ssize_t (*write)(int fd, const void* buffer, std::size_t size);
    ssize_t (*readv)(int fd, const iovec* parts, int count);
    ssize_t (*writev)(int fd, const iovec* parts, int count);
    ssize_t (*recv)(int fd, void* buffer, std::size_t size, int flags);
    ssize_t (*send)(int fd, const void* buffer, std::size_t size, int flags);
    ssize_t (*recvmsg)(int fd, msghdr* message, int flags);
    ssize_t (*sendmsg)(int fd, const msghdr* message, int flags);
    int (*recvmmsg)(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout);
    int (*sendmmsg)(int fd, mmsghdr* messages, unsigned count, int flags);

    int (*accept4)(int fd, sockaddr* peer, socklen_t* peer_size, int flags);
    int (*socket)(int family, int type, int protocol);
    int (*socketpair)(int family, int type, int protocol, int* fds);
    int (*bind)(int fd, const sockaddr* address, socklen_t size);
    int (*listen)(int fd, int backlog);
    int (*connect)(int fd, const sockaddr* address, socklen_t size);
    int (*shutdown)(int fd, int how);
    int (*getsockopt)(int fd, int level, int option, void* value, socklen_t* size);
    int (*setsockopt)(int fd, int level, int option, const void* value, socklen_t size);
    int (*getsockname)(int fd, sockaddr* address, socklen_t* size);
    int (*getpeername)(int fd, sockaddr* address, socklen_t* size);
    unsigned (*if_nametoindex)(const char* name);

    int (*poll)(pollfd* descriptors, nfds_t count, int timeout_ms);
    int (*close)(int fd);
    int (*fcntl)(int fd, int command, long argument);
    int (*fstat)(int fd, struct stat* facts);
    int (*fchmod)(int fd, mode_t mode);
    int (*lstat)(const char* path, struct stat* facts);
    int (*unlink)(const char* path);
    int (*clock_gettime)(clockid_t clock, timespec* now);
    void* (*mmap)(void* address, std::size_t size, int protection, int flags, int fd, off_t offset);
    int (*munmap)(void* address, std::size_t size);
    int (*mprotect)(void* address, std::size_t size, int protection);
    int (*madvise)(void* address, std::size_t size, int advice);
    int (*membarrier)(int command, unsigned flags, int cpu);
};

namespace detail {
extern const Calls real_table;
inline constinit thread_local const Calls* current_table = &real_table;
} // namespace detail

/// The calls of the operating system.
[[nodiscard]] inline const Calls& real_calls() noexcept { return detail::real_table; }

/// The table that this thread uses now.
[[nodiscard]] inline const Calls& calls() noexcept { return *detail::current_table; }

/// Makes this thread use `table` while it lives. Overrides nest, and end in reverse order on the thread that began
/// them. `table` must outlive the override; changing it meanwhile takes effect at once. For testing.
class CallsOverride {
public:
    explicit CallsOverride(const Calls& table) noexcept : previous_(detail::current_table) {
        detail::current_table = &table;
    }
    explicit CallsOverride(const Calls&& table) = delete;
    CallsOverride(const CallsOverride&) = delete;
    CallsOverride& operator=(const CallsOverride&) = delete;
    ~CallsOverride() { detail::current_table = previous_; }

private:
    const Calls* previous_;
};

/// Repeats `call` while it fails with EINTR; its last result otherwise, errno as it left it.
template <class Call>
auto retry_interrupted(Call call) noexcept {
    auto result = call();
    while (result == -1 && errno == EINTR) [[unlikely]] result = call();
    return result;
}

} // namespace nexus::os
