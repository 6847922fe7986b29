// The real table. Wrapped are fcntl, which is variadic and so has no plain pointer, and membarrier, which the C library
// does not know.
#include "nexus/os/calls.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nexus::os::detail {
namespace {

int real_fcntl(int fd, int command, long argument) { return ::fcntl(fd, command, argument); }

int real_membarrier(int command, unsigned flags, int cpu) {
    return static_cast<int>(::syscall(SYS_membarrier, command, flags, cpu));
}

} // namespace

constinit const Calls real_table = {
    .epoll_create1 = ::epoll_create1,
    .epoll_ctl = ::epoll_ctl,
    .epoll_wait = ::epoll_wait,
    .timerfd_create = ::timerfd_create,
    .timerfd_settime = ::timerfd_settime,
    .eventfd = ::eventfd,
    .read = ::read,
    .write = ::write,
    .readv = ::readv,
    .writev = ::writev,
    .recv = ::recv,
    .send = ::send,
    .recvmsg = ::recvmsg,
    .sendmsg = ::sendmsg,
    .recvmmsg = ::recvmmsg,
    .sendmmsg = ::sendmmsg,
    .accept4 = ::accept4,
    .socket = ::socket,
    .socketpair = ::socketpair,
    .bind = ::bind,
    .listen = ::listen,
    .connect = ::connect,
    .shutdown = ::shutdown,
    .getsockopt = ::getsockopt,
    .setsockopt = ::setsockopt,
    .getsockname = ::getsockname,
    .getpeername = ::getpeername,
    .if_nametoindex = ::if_nametoindex,
    .poll = ::poll,
    .close = ::close,
    .fcntl = real_fcntl,
    .fstat = ::fstat,
    .fchmod = ::fchmod,
    .lstat = ::lstat,
    .unlink = ::unlink,
    .clock_gettime = ::clock_gettime,
    .mmap = ::mmap,
    .munmap = ::munmap,
    .mprotect = ::mprotect,
    .madvise = ::madvise,
    .membarrier = real_membarrier,
};

} // namespace nexus::os::detail
