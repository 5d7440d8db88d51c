import ConfigurationFile
import Foundation
import NIOPosix

/// Asks the system's resolver, as every program of this machine does.
enum NameLookup {
    /// How long DNS may take to answer.
    static let patience = Duration.seconds(5)

    /// Why there are no addresses.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The addresses of a name in the resolver's order, each once.
    ///
    /// - Throws: `Failure` in the system's words, or when they cannot be had in time.
    static func addresses(of name: String) async throws(Failure) -> [String] {
        let (answers, continuation) = AsyncStream.makeStream(of: Result<[String], Failure>.self)
        let asking = Task {
            let found = try? await NIOThreadPool.singleton.runIfActive { self.ask(name) }
            continuation.yield(found ?? .failure(Failure(description: "nobody could be asked")))
        }
        // The system's resolver cannot be interrupted; it is left behind.
        let timer = Task {
            try await Task.sleep(for: self.patience)
            let words = "no answer within \(self.patience.written)"
            continuation.yield(.failure(Failure(description: words)))
        }
        defer {
            asking.cancel()
            timer.cancel()
        }
        for await answer in answers { return try answer.get() }
        throw Failure(description: "nobody could be asked")
    }

    private static func ask(_ name: String) -> Result<[String], Failure> {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else {
            return .failure(Failure(description: String(cString: gai_strerror(code))))
        }
        defer { freeaddrinfo(list) }
        var found: [String] = []
        var next = list
        while let entry = next?.pointee {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let size = socklen_t(text.count)
            let isRead = getnameinfo(
                entry.ai_addr,
                entry.ai_addrlen,
                &text,
                size,
                nil,
                0,
                NI_NUMERICHOST
            )
            let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            let address = String(decoding: bytes, as: UTF8.self)
            if isRead == 0, !found.contains(address) { found.append(address) }
            next = entry.ai_next
        }
        return .success(found)
    }
}
