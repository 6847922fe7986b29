#include "nexus/net/tcp_stream.hpp"

#include "nexus/exec/wait.hpp"
#include "nexus/net/private/adopt.hpp"

#include <utility>

namespace nexus {
namespace {

Error with_subject(const Error& error, const SocketAddress& address) {
    return {error.code(), "connect", address.to_string()};
}

} // namespace

Result<TcpStream> TcpStream::connect(std::string_view address) {
    const auto parsed = SocketAddress::parse(address);
    if (!parsed) return Error(parsed.error().code(), "connect", address);
    return connect(*parsed);
}

Result<TcpStream> TcpStream::connect(const SocketAddress& address) {
    (void)Executor::of_current_fiber("connect");
    auto fd = os::open_tcp(address.family());
    if (!fd) return with_subject(fd.error(), address);
    return connect_socket(std::move(*fd), address);
}

Result<TcpStream> TcpStream::connect_socket(os::Fd fd, const SocketAddress& address) {
    Executor& executor = Executor::of_current_fiber("connect");
    const detail::WaitEnd end = detail::enter_wait(executor, "connect");
    if (end != detail::WaitEnd::ready) return Error(detail::to_errc(end), "connect", address.to_string());
    const auto started = os::connect(fd.get(), address);
    // EALREADY: somebody began before us.
    if (!started && started.error() != std::errc::operation_in_progress &&
        started.error() != std::errc::connection_already_in_progress) {
        return with_subject(started.error(), address);
    }
    TcpStream stream(std::move(fd));
    if (started) return stream;
    // Registering comes after the start: an unconnected socket would report a hang-up.
    IoSource& source = stream.io_source();
    source.clear_ready(Direction::out);
    if (auto waited = source.wait(Direction::out, "connect"); !waited) return with_subject(waited.error(), address);
    if (auto outcome = os::take_error(stream.fd(), "connect"); !outcome) return with_subject(outcome.error(), address);
    return stream;
}

Result<TcpStream> TcpStream::from_fd(os::Fd&& fd) {
    const auto short_counts = detail::adopt_stream(fd.get());
    if (!short_counts) return short_counts.error();
    return TcpStream(detail::SocketOwner::make(std::move(fd), *short_counts));
}

} // namespace nexus
