"""A visitor of a TCP service of tcp_origin.py: tcp_visitor.py PORT KIND [COUNT] [SOURCE]

    upload COUNT    sends COUNT bytes, ends its half, prints the answer and what it should be
    download COUNT  prints "COUNT SHA256" of what came before the end
    broken COUNT    the same of an origin that breaks off: prints "reset" if that is seen
    echo COUNT      one line after the other, each when the last came back; prints "echoed COUNT"
    knock           connects, and prints how that ends: refused, reset, end
"""
import hashlib
import os
import socket
import sys
import threading

port, kind = int(sys.argv[1]), sys.argv[2]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 0
source = sys.argv[4] if len(sys.argv) > 4 else None


def connect():
    return socket.create_connection(
        ("127.0.0.1", port), timeout=60, source_address=(source, 0) if source else None
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


def main():
    try:
        sock = connect()
    except ConnectionRefusedError:
        return print("refused")
    if kind == "upload":
        upload(sock)
    elif kind in ("download", "broken"):
        sock.sendall(f"{'D' if kind == 'download' else 'R'}{count}\n".encode())
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
