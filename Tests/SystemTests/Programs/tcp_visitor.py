"""A visitor of a TCP service of tcp_origin.py: tcp_visitor.py PORT KIND [COUNT] [SOURCE]

    upload COUNT    sends COUNT bytes, ends its half, prints the answer and what it should be
    download COUNT  prints "COUNT SHA256" of what came before the end
    broken COUNT    the same of an origin that breaks off: prints "reset" if that is seen
    echo COUNT      one line after the other, each when the last came back; prints "echoed COUNT"
    last COUNT      lets the origin end first, then sends COUNT bytes and ends; prints "sent COUNT SHA256"
    many COUNT      COUNT uploads at once; prints "whole COUNT" of those that were answered rightly
    knock           connects, and prints how that ends: refused, reset, end
"""
import hashlib
import os
import socket
import sys
import threading

port, kind = int(sys.argv[1]), sys.argv[2]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 0
source = sys.argv[4] if len(sys.argv) > 4 else None  # of a download, "half": ends its half first


def connect():
    return socket.create_connection(
        ("127.0.0.1", port), timeout=60, source_address=(source, 0) if source not in (None, "half") else None
    )


def read_all(sock):
    digest, total = hashlib.sha256(), 0
    while piece := sock.recv(65536):
        digest.update(piece)
        total += len(piece)
    return f"{total} {digest.hexdigest()}"


def upload(sock):
    data = os.urandom(count)
    sender = threading.Thread(target=lambda: (sock.sendall(b"U" + data), sock.shutdown(socket.SHUT_WR)))
    sender.start()
    answer = sock.makefile().read().strip()
    sender.join()
    print(answer, "wanted", count, hashlib.sha256(data).hexdigest())


def last(sock):
    data = os.urandom(count)
    sock.sendall(b"F")
    assert sock.recv(1) == b""
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    print("sent", count, hashlib.sha256(data).hexdigest())


def many():
    socks = [connect() for _ in range(count)]
    for number, sock in enumerate(socks):
        sock.sendall(b"U" + b"x" * number)
        sock.shutdown(socket.SHUT_WR)
    answers = [sock.makefile().read() for sock in socks]
    print("whole", sum(answer.startswith(f"{number} ") for number, answer in enumerate(answers)))


def main():
    if kind == "many":
        return many()
    try:
        sock = connect()
    except ConnectionRefusedError:
        return print("refused")
    if kind == "upload":
        upload(sock)
    elif kind == "last":
        last(sock)
    elif kind in ("download", "broken"):
        sock.sendall(f"{'D' if kind == 'download' else 'R'}{count}\n".encode())
        if source == "half":
            sock.shutdown(socket.SHUT_WR)
        try:
            print(read_all(sock))
        except ConnectionResetError:
            print("reset")
    elif kind == "echo":
        lines = sock.makefile("rwb")
        lines.write(b"E")
        for number in range(count):
            line = f"line {number}\n".encode()
            lines.write(line)
            lines.flush()
            assert lines.readline() == line
            print("line", number, flush=True)
        print("echoed", count)
    else:
        try:
            print("end" if not sock.recv(1) else "bytes")
        except ConnectionResetError:
            print("reset")


main()
