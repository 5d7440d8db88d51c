import Foundation
import Testing

@testable import TunnelTransport

/// A client, or server, that says whatever it is told over TLS: Python's ssl module.
enum RawClient {
    enum Step {
        case send(String)
        case sendBytes([UInt8])
        /// Waits until the answer so far contains this.
        case await(String)
    }

    /// Runs the steps, then reads until the server closes; the whole answer in Latin-1.
    /// Ends with "TIMEOUT" when the server neither answers nor closes within 20 s.
    static func run(port: UInt16, tls: Bool = true, _ steps: [Step]) async throws -> String {
        let arguments = steps.map { step in
            switch step {
            case .send(let text): "s" + Data(text.utf8).base64EncodedString()
            case .sendBytes(let bytes): "s" + Data(bytes).base64EncodedString()
            case .await(let text): "a" + Data(text.utf8).base64EncodedString()
            }
        }
        return try await python(self.script, ["\(port)", tls ? "tls" : "plain"] + arguments)
    }

    private static let script = """
        import base64, socket, ssl, sys
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        s.settimeout(20)
        answer = b""
        try:
            if sys.argv[2] == "tls":
                c = ssl._create_unverified_context()
                s = c.wrap_socket(s, server_hostname="edge.test")
            for step in sys.argv[3:]:
                data = base64.b64decode(step[1:])
                if step[0] == "s":
                    s.sendall(data)
                while step[0] == "a" and data not in answer:
                    more = s.recv(65536)
                    if not more: break
                    answer += more
            while True:
                more = s.recv(65536)
                if not more: break
                answer += more
        except socket.timeout:
            answer += b"TIMEOUT"
        except OSError:
            pass
        sys.stdout.buffer.write(answer.decode("latin-1").encode("utf-8"))
        """
}

/// Runs a Python program to its end; what it wrote.
func python(_ script: String, _ arguments: [String]) async throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script] + arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    return await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
            let data = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            continuation.resume(returning: String(decoding: data, as: UTF8.self))
        }
    }
}

/// A TLS server of Python's that answers every connection's first bytes with a fixed text, then
/// keeps it open until the process ends.
final class RawServer {
    let port: UInt16
    private let process = Process()

    init(answer: String) throws {
        let output = Pipe()
        let files = TestCertificates.shared.files("edge")
        self.process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        self.process.arguments = [
            "python3", "-c", Self.script, files.certificate, files.key,
            Data(answer.utf8).base64EncodedString(),
        ]
        self.process.standardOutput = output
        try self.process.run()
        var line = ""
        while !line.hasSuffix("\n") {
            let byte = output.fileHandleForReading.readData(ofLength: 1)
            try #require(!byte.isEmpty)
            line += String(decoding: byte, as: UTF8.self)
        }
        self.port = try #require(UInt16(line.dropLast()))
    }

    func stop() {
        // Not SIGTERM: a child inherits the signal mask of the thread that made it.
        kill(self.process.processIdentifier, SIGKILL)
    }

    private static let script = """
        import base64, hashlib, socket, ssl, sys
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(sys.argv[1], sys.argv[2])
        l = socket.create_server(("127.0.0.1", 0))
        print(l.getsockname()[1], flush=True)
        kept = []
        while True:
            s = c.wrap_socket(l.accept()[0], server_side=True)
            request = b""
            while b"\\r\\n\\r\\n" not in request:
                request += s.recv(65536)
            key = [x for x in request.split(b"\\r\\n") if x.lower().startswith(b"sec-websocket-key:")]
            key = key[0].split(b":", 1)[1].strip()
            digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            answer = base64.b64decode(sys.argv[3])
            answer = answer.replace(b"DIGEST", base64.b64encode(digest))
            s.sendall(answer)
            kept.append(s)
        """
}
