"""A load client for the echo server: closed loop, every connection has one request of 64 bytes on its way."""
import select
import socket

REQUEST = b"0123456789abcdef" * 4


def run(port: int, connections: int, requests: int) -> int:
    """Sends `requests` in all and returns how many came back whole."""
    peers = {}
    poller = select.epoll()
    for _ in range(connections):
        peer = socket.create_connection(("127.0.0.1", port), timeout=30)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peers[peer.fileno()] = peer
        poller.register(peer.fileno(), select.EPOLLIN)
    for peer in peers.values():
        peer.sendall(REQUEST)
    sent, answered = connections, 0
    while answered < sent:
        ready = poller.poll(30)
        if not ready:
            break
        for fd, _ in ready:
            if peers[fd].recv(len(REQUEST), socket.MSG_WAITALL) != REQUEST:
                return answered
            answered += 1
            if sent < requests:
                peers[fd].sendall(REQUEST)
                sent += 1
    for peer in peers.values():
        peer.close()
    return answered
