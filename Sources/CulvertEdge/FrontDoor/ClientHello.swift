/// What a TLS client asks for before anything is encrypted (RFC 8446 §4.1.2): as much of it as the
/// front door needs.
package struct ClientHello: Sendable, Equatable {
    /// The server name (RFC 6066 §3) in lower case without a trailing dot; nil when none was sent.
    package var serverName: String?
    /// The application protocols (RFC 7301 §3.1) in the client's order; empty when none were sent.
    package var applicationProtocols: [String]

    package init(serverName: String?, applicationProtocols: [String]) {
        self.serverName = serverName
        self.applicationProtocols = applicationProtocols
    }
}

/// What the first bytes of a connection turned out to be.
package enum ClientHelloResult: Sendable, Equatable {
    /// The answer cannot change before this many bytes, counted from the first, have arrived.
    case needMore(minimumBytes: Int)
    /// A whole hello; bytes after it are not looked at.
    case hello(ClientHello)
    /// Not TLS at all; `looksLikeHTTP` when the bytes begin with a method and a space.
    case notTLS(looksLikeHTTP: Bool)
    /// TLS that breaks its own rules, or a hello beyond ``ClientHello/maximumBytes``; why, for the log.
    case malformed(String)
}

extension ClientHello {
    /// How much of a connection is looked at, record headers included; a hello that needs more is
    /// malformed. Hellos in use have 200 to 2,000 bytes.
    package static let maximumBytes = 16_384

    /// Reads a hello from all the bytes a connection has brought so far.
    ///
    /// Pure, and the same for any split: called again with more of the same bytes it gives
    /// `needMore` until the one final answer. Handshake fragments may be spread over any number of
    /// records (RFC 8446 §5.1). Hosts are not looked up or checked beyond their characters.
    package static func parse(_ received: ArraySlice<UInt8>) -> ClientHelloResult {
        guard let first = received.first else { return .needMore(minimumBytes: 1) }
        guard first == RecordReader.handshakeContent else {
            return Self.classifyForeign(received)
        }
        var reader = RecordReader(received.prefix(Self.maximumBytes))
        switch reader.handshake() {
        case .complete(let body): return Self.parseBody(body)
        case .malformed(let reason): return .malformed(reason)
        case .needMore(let minimumBytes):
            guard minimumBytes <= Self.maximumBytes else {
                return .malformed("a ClientHello of more than \(Self.maximumBytes) bytes")
            }
            return .needMore(minimumBytes: minimumBytes)
        }
    }

    /// Whether bytes that are not TLS begin with an HTTP method: 3 to 20 capitals, then a space.
    private static func classifyForeign(_ received: ArraySlice<UInt8>) -> ClientHelloResult {
        let method = received.prefix(20).prefix { (0x41...0x5A).contains($0) || $0 == 0x2D }
        guard method.endIndex < received.endIndex else {
            return .needMore(minimumBytes: received.count + 1)
        }
        return .notTLS(looksLikeHTTP: method.count >= 3 && received[method.endIndex] == 0x20)
    }
}

// MARK: - The handshake message

extension ClientHello {
    private static func parseBody(_ body: ArraySlice<UInt8>) -> ClientHelloResult {
        var bytes = ByteReader(body)
        guard let version = bytes.uint16(), version >> 8 == 3, bytes.take(32) != nil else {
            return .malformed("a ClientHello whose version or random is not TLS's")
        }
        guard let session = bytes.vector8(), session.count <= 32,
            let suites = bytes.vector16(), suites.count >= 2, suites.count.isMultiple(of: 2),
            let compression = bytes.vector8(), !compression.isEmpty
        else { return .malformed("a ClientHello with a bad session id, suite or compression list") }
        // Hellos of before RFC 3546 end here.
        guard !bytes.isEmpty else {
            return .hello(ClientHello(serverName: nil, applicationProtocols: []))
        }
        guard let extensions = bytes.vector16(), bytes.isEmpty else {
            return .malformed("a ClientHello whose extensions do not fill it")
        }
        return Self.parseExtensions(extensions)
    }

    private static func parseExtensions(_ list: ArraySlice<UInt8>) -> ClientHelloResult {
        var bytes = ByteReader(list)
        var serverName: String?
        var protocols: [String]?
        while !bytes.isEmpty {
            guard let type = bytes.uint16(), let body = bytes.vector16() else {
                return .malformed("a ClientHello with a truncated extension")
            }
            switch type {
            case 0:
                guard serverName == nil, let name = Self.parseServerNames(body) else {
                    return .malformed("a ClientHello with a bad server_name extension")
                }
                serverName = name
            case 16:
                guard protocols == nil, let names = Self.parseProtocols(body) else {
                    return .malformed("a ClientHello with a bad ALPN extension")
                }
                protocols = names
            default: continue
            }
        }
        return .hello(ClientHello(serverName: serverName, applicationProtocols: protocols ?? []))
    }

    /// The only host_name of a server name list; nil when there is none, two, or a bad one.
    private static func parseServerNames(_ body: ArraySlice<UInt8>) -> String? {
        var outer = ByteReader(body)
        guard let list = outer.vector16(), outer.isEmpty else { return nil }
        var names = ByteReader(list)
        var found: String?
        while !names.isEmpty {
            guard let type = names.uint8(), let name = names.vector16() else { return nil }
            guard type == 0 else { continue }
            guard found == nil, let host = ServerName.normalise(bytes: name) else { return nil }
            found = host
        }
        return found
    }

    private static func parseProtocols(_ body: ArraySlice<UInt8>) -> [String]? {
        var outer = ByteReader(body)
        guard let list = outer.vector16(), outer.isEmpty, !list.isEmpty else { return nil }
        var names = ByteReader(list)
        var found: [String] = []
        while !names.isEmpty {
            guard let name = names.vector8(), !name.isEmpty else { return nil }
            found.append(String(decoding: name, as: UTF8.self))
        }
        return found
    }
}
