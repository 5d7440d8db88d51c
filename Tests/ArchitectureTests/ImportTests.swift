import Foundation
import Testing

/// Imports point down the house only, and the pure targets know no socket, thread, clock or
/// Foundation. Whoever has a reason to change this table has a reason to write it beside it.
@Suite struct ImportTests {
    /// What each target may import, beside the standard library.
    private static let allowed: [String: Set<String>] = [
        // Pure: nothing at all. `Swift` is named for its Unicode normalisation.
        "HTTPSemantics": ["Swift"],
        // What NIOHTTP2 needs on both sides, edge and connector: handlers of bytes, and fields.
        "HTTP2Wire": ["HTTPSemantics", "NIOCore", "NIOHPACK"],
        // Pure: NIOCore is there for ByteBuffer, a value type, and for nothing else.
        "TunnelWire": ["HTTPSemantics", "NIOCore"],
        "TunnelSession": ["TunnelWire", "HTTPSemantics", "NIOCore", "DequeModule"],
        // Frames as values, in a buffer or where they lie; Crypto for the handshake's SHA-1, Foundation for its
        // base64.
        "WebSocketWire": ["Crypto", "Foundation", "NIOCore"],
        // The only importer of the C shim.
        "TunnelTransport": [
            "CLibwebsockets", "Glibc", "Logging", "Synchronization", "WebSocketWire",
        ],
        "TunnelLink": [
            "HTTPSemantics", "TunnelSession", "TunnelTransport", "TunnelWire", "Crypto", "Glibc",
            "HeapModule", "Logging", "NIOCore", "Synchronization",
        ],
        // Glibc: the store's files, their owners and locks.
        "CulvertControl": [
            "HTTPSemantics", "Crypto", "Foundation", "GRDB", "Glibc", "Synchronization",
        ],
        "ControlAPI": ["Foundation"],
        "ControlClient": [
            // ConfigurationFile: host:port, and files with secrets. NIOHTTP1: methods and fields.
            "ConfigurationFile", "ControlAPI", "AsyncHTTPClient", "Foundation", "NIOCore",
            "NIOHTTP1", "NIOPosix", "NIOSSL",
        ],
        "ControlServer": [
            "ControlAPI", "CulvertControl", "HTTPSemantics", "Crypto", "Foundation", "HTTPTypes",
            "Hummingbird", "Logging", "NIOCore", "Synchronization",
        ],
        // Glibc: files of secrets need open, link and fsync.
        "ConfigurationFile": ["HTTPSemantics", "Foundation", "Glibc", "Yams"],
        // Decides what nsupdate and hooks are told; runs nothing. Glibc: who may write the file.
        "CulvertDNS": ["ConfigurationFile", "HTTPSemantics", "Glibc"],
        // X509 and SwiftASN1: what certificates say.
        "CulvertDiagnostics": [
            "AsyncHTTPClient", "Foundation", "Glibc", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL",
            "NIOTLS", "SwiftASN1", "Synchronization", "X509",
        ],
        "StatusServer": [
            "Glibc", "Logging", "NIOCore", "NIOHTTP1", "NIOPosix", "Synchronization", "Foundation",
        ],
        "CulvertConnector": [
            "CLinux", "ConfigurationFile", "HTTP2Wire", "HTTPSemantics", "StatusServer",
            "TunnelLink",
            "TunnelSession",
            "TunnelTransport", "TunnelWire", "WebSocketWire", "Crypto", "DequeModule", "Dispatch",
            "Foundation",
            "Glibc", "Logging", "NIOCore", "NIOHPACK", "NIOHTTP2", "NIOPosix", "NIOSSL", "NIOTLS",
            "Synchronization",
        ],
        // A visitor, so it knows nothing of tunnels: NIO, and what the connector's WebSocket is made of.
        "CulvertAccess": [
            "ConfigurationFile", "Foundation", "Glibc", "Logging", "NIOCore", "NIOHTTP1",
            "NIOPosix", "NIOSSL", "Synchronization", "WebSocketWire",
        ],
        "CulvertEdge": [
            "CLinux", "ConfigurationFile", "ControlAPI", "ControlServer", "CulvertControl",
            "HTTP2Wire", "HTTPSemantics",
            "StatusServer",
            "TunnelLink", "TunnelSession", "TunnelTransport", "TunnelWire", "Crypto",
            "DequeModule", "Dispatch", "Foundation", "Glibc", "Logging", "NIOConcurrencyHelpers",
            "NIOCore", "NIOHPACK",
            "NIOHTTP2", "NIOPosix", "NIOSSL", "NIOTLS", "SwiftASN1", "Synchronization", "X509",
        ],
        "culvert": [
            "ConfigurationFile", "ControlAPI", "ControlClient", "ControlServer", "CulvertAccess",
            "CulvertConnector", "CulvertControl", "CulvertDNS", "CulvertDiagnostics", "CulvertEdge",
            "HTTPSemantics", "StatusServer", "TunnelLink", "TunnelTransport", "TunnelWire",
            "ArgumentParser", "Crypto", "Dispatch", "Foundation",
            "Glibc", "Logging", "NIOCore", "NIOPosix", "Synchronization", "UnixSignals",
        ],
    ]

    /// Words that would give a pure target a clock, a thread or randomness without an import.
    private static let impure = [
        "NIODeadline.now", "ContinuousClock", "SuspendingClock", "Task {", "Task.sleep",
        "SystemRandomNumberGenerator", ".random(in", "EventLoop", "Channel",
    ]

    private static let sources = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources")

    private func files(of target: String) throws -> [URL] {
        let folder = Self.sources.appendingPathComponent(target)
        let names = try #require(FileManager.default.enumerator(atPath: folder.path))
        return names.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }
            .map { folder.appendingPathComponent($0) }
    }

    private func imports(in file: URL) throws -> [String] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let place = words.firstIndex(of: "import"), place + 1 < words.count,
                words[..<place].allSatisfy({
                    ["public", "package", "internal", "private", "fileprivate"].contains($0)
                        || $0.hasPrefix("@")
                })
            else { return nil }
            return String(words[place + 1].prefix { $0 != "." })
        }
    }

    @Test func everyTargetIsInTheTable() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path)
        let swift = try folders.filter { try !self.files(of: $0).isEmpty }
        #expect(Set(swift) == Set(Self.allowed.keys))
    }

    @Test(arguments: allowed.keys.sorted())
    func importsPointDown(target: String) throws {
        let files = try self.files(of: target)
        #expect(!files.isEmpty)
        for file in files {
            for name in try self.imports(in: file) {
                let isAllowed = Self.allowed[target]?.contains(name) == true
                #expect(isAllowed, "\(target)/\(file.lastPathComponent) imports \(name)")
            }
        }
    }

    @Test(arguments: ["HTTPSemantics", "TunnelWire", "TunnelSession"])
    func pureTargetsTakeTimeAndRandomnessAsArguments(target: String) throws {
        for file in try self.files(of: target) {
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            let code = lines.filter { !$0.drop { $0 == " " }.hasPrefix("//") }
            for word in Self.impure {
                let found = code.contains { $0.contains(word) }
                #expect(!found, "\(target)/\(file.lastPathComponent) says \(word)")
            }
        }
    }
}
