import CLibwebsockets

/// A client's wish to open a tunnel connection; its fields can be read during `accept` only.
package final class UpgradeRequest {
    /// Without the query; always `TransportConfiguration.path`.
    package let path: String
    /// Without the question mark; empty when there is none.
    package let query: String
    /// What `adopt` called the client.
    package let peer: String
    private var socket: culvert_socket?

    /// Field values longer than this read as nil; the whole header is limited to 16 KiB.
    private static let longestValueBytes = 8192

    init(socket: culvert_socket, peer: String) {
        self.socket = socket
        self.peer = peer
        self.path = Self.copy(CULVERT_FIELD_GET_PATH, of: socket) ?? ""
        self.query = Self.copy(CULVERT_FIELD_QUERY, of: socket) ?? ""
    }

    /// The value of a request field, nil when absent or too long. Readable are `Host`,
    /// `Authorization`, `X-Forwarded-For`, `User-Agent` and every field that HTTP does not define.
    package func field(_ name: String) -> String? {
        guard let socket else { return nil }
        let lowercased = name.lowercased()
        return switch lowercased {
        case "host": Self.copy(CULVERT_FIELD_HOST, of: socket)
        case "authorization": Self.copy(CULVERT_FIELD_AUTHORIZATION, of: socket)
        case "x-forwarded-for": Self.copy(CULVERT_FIELD_FORWARDED_FOR, of: socket)
        case "user-agent": Self.copy(CULVERT_FIELD_USER_AGENT, of: socket)
        default: Self.copy(other: lowercased, of: socket)
        }
    }

    /// After this no field can be read: libwebsockets is about to free them.
    func invalidate() { self.socket = nil }

    /// Why the upgrade must be refused before anybody is asked; nil when it is well-formed.
    ///
    /// libwebsockets itself takes POST, any version, and a missing subprotocol.
    func refusal() -> UpgradeRefusal? {
        guard let socket, !self.path.isEmpty else {
            return UpgradeRefusal(status: 405, errorCode: "method-not-allowed")
        }
        guard self.path == TransportConfiguration.path else {
            return UpgradeRefusal(status: 404, errorCode: "no-such-endpoint")
        }
        guard Self.copy(CULVERT_FIELD_VERSION, of: socket) == "13" else {
            return UpgradeRefusal(status: 426, errorCode: "websocket-version")
        }
        guard Self.copy(CULVERT_FIELD_CONTENT_LENGTH, of: socket) == nil,
            Self.copy(CULVERT_FIELD_TRANSFER_ENCODING, of: socket) == nil
        else {
            return UpgradeRefusal(status: 400, errorCode: "upgrade-with-body")
        }
        let offered = Self.copy(CULVERT_FIELD_PROTOCOL, of: socket) ?? ""
        let names = offered.split { $0 == "," || $0 == " " || $0 == "\t" }
        guard names.contains(where: { $0 == TransportConfiguration.subprotocol }) else {
            return UpgradeRefusal(status: 400, errorCode: "subprotocol")
        }
        return nil
    }

    static func copy(_ field: culvert_field, of socket: culvert_socket) -> String? {
        Self.text { culvert_copy_field(socket, field, $0, $1) }
    }

    static func copy(other name: String, of socket: culvert_socket) -> String? {
        Self.text { culvert_copy_other_field(socket, name + ":", $0, $1) }
    }

    private static func text(
        _ read: (UnsafeMutablePointer<CChar>, CInt) -> CInt
    ) -> String? {
        withUnsafeTemporaryAllocation(
            of: CChar.self,
            capacity: Self.longestValueBytes
        ) { room -> String? in
            guard let start = room.baseAddress else { return nil }
            let length = Int(read(start, CInt(room.count)))
            guard length > 0, length < room.count else { return nil }
            return String(decoding: UnsafeRawBufferPointer(room)[..<length], as: UTF8.self)
        }
    }
}

@available(*, unavailable)
extension UpgradeRequest: Sendable {}

/// The answer to an upgrade that is not wanted; the connection is closed after it.
package struct UpgradeRefusal: Error, Sendable, Equatable {
    /// 400...599.
    package var status: Int
    /// Sent as `Culvert-Error`, the only part besides the status that a connector can read.
    package var errorCode: String
    /// Seconds, sent as `Retry-After`.
    package var retryAfterSeconds: Int?
    /// For people with other clients; plain text.
    package var body: String

    package init(
        status: Int,
        errorCode: String,
        retryAfterSeconds: Int? = nil,
        body: String = ""
    ) {
        self.status = status
        self.errorCode = errorCode
        self.retryAfterSeconds = retryAfterSeconds
        self.body = body
    }

    /// The whole response (RFC 9112), line breaks in the fields' values removed.
    var response: String {
        let code = self.errorCode.filter { !$0.isNewline }
        let retry = self.retryAfterSeconds.map { "Retry-After: \($0)\r\n" } ?? ""
        let body = self.body.isEmpty ? code + "\n" : self.body
        return "HTTP/1.1 \(self.status) Refused\r\nCulvert-Error: \(code)\r\n\(retry)"
            + "Content-Type: text/plain; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\n"
            + "Connection: close\r\n\r\n\(body)"
    }
}
