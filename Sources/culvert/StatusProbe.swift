import ConfigurationFile
import Glibc

/// Asks a metrics listener whether its edge or connector is ready. Blocks the thread.
struct StatusProbe {
    /// An empty host is this machine.
    let address: HostPort
    /// How long each step may take, at least 1.
    let seconds: Int

    /// What it says, and with which status.
    struct Answer {
        var status: Int
        var body: String
    }

    /// Why there is no answer.
    struct NoAnswer: Error {
        /// For a person, without a full stop.
        var message: String
    }

    /// More than this of an answer is not read.
    private static let maximumBytes = 16 * 1024

    /// Asks as an edge is asked, then as a connector is, whose path is another.
    func readiness() throws(NoAnswer) -> Answer {
        let edge = try self.get("/readyz")
        return edge.status == 404 ? try self.get("/ready") : edge
    }

    private func get(_ path: String) throws(NoAnswer) -> Answer {
        let descriptor = try self.connection()
        defer { close(descriptor) }
        let request = Array("GET \(path) HTTP/1.0\r\nHost: \(self.address)\r\n\r\n".utf8)
        // A new connection's send buffer holds this.
        let sent = send(descriptor, request, request.count, CInt(MSG_NOSIGNAL))
        guard sent == request.count else { throw Self.failure() }
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while answer.count < Self.maximumBytes {
            let count = recv(descriptor, &piece, piece.count, 0)
            guard count >= 0 else { throw Self.failure() }
            guard count > 0 else { break }
            answer += piece[..<count]
        }
        let text = String(decoding: answer, as: UTF8.self)
        let words = text.prefix { !$0.isNewline }.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw NoAnswer(message: "what answers there does not speak HTTP")
        }
        let body = text.firstRange(of: "\r\n\r\n").map { text[$0.upperBound...] } ?? ""
        return Answer(status: status, body: String(body.prefix { !$0.isNewline }))
    }

    /// A connected socket, to the first address of the host that takes one.
    private func connection() throws(NoAnswer) -> CInt {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let host = self.address.host.isEmpty ? "localhost" : self.address.host
        let code = getaddrinfo(host, "\(self.address.port)", &hints, &found)
        guard code == 0 else { throw NoAnswer(message: String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(found) }
        var failure = NoAnswer(message: "no address")
        var next = found
        while let entry = next?.pointee {
            next = entry.ai_next
            let type = entry.ai_socktype | CInt(SOCK_CLOEXEC.rawValue)
            let descriptor = socket(entry.ai_family, type, entry.ai_protocol)
            guard descriptor >= 0 else { throw Self.failure() }
            // For connect(2) too (socket(7)).
            var limit = timeval(tv_sec: self.seconds, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
            if connect(descriptor, entry.ai_addr, entry.ai_addrlen) == 0 { return descriptor }
            failure = Self.failure()
            close(descriptor)
        }
        throw failure
    }

    /// What errno says.
    private static func failure() -> NoAnswer {
        let isLate = errno == EAGAIN || errno == EINPROGRESS
        return NoAnswer(message: isLate ? "no answer in time" : String(cString: strerror(errno)))
    }
}
