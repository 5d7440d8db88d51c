import ConfigurationFile
import ControlClient
import Foundation
import NIOPosix

/// Tells a person which DNS record to make, and whether it is there.
enum DNSAdvice {
    /// How long DNS may take to answer.
    private static let patience = Duration.seconds(5)

    static func give(_ record: DNSRecord) async {
        // Of a wildcard any name below it will do.
        let probe = record.name.replacing("*", with: "culvert-check")
        async let edge = self.addresses(of: record.target)
        async let own = self.addresses(of: probe)
        let (wanted, found) = await (edge, own)
        if !wanted.isEmpty, wanted == found {
            note("Its DNS is in order: it resolves to the edge, \(printable(record.target)).")
            return
        }
        note("It needs a DNS record:\n\n    \(printable("\(record)"))\n")
        if wanted.isEmpty {
            note(
                "(\(printable(record.target)), the edge's own name, does not resolve here either.)"
            )
        } else if found.isEmpty {
            note("It does not resolve yet.")
        } else {
            let places = found.sorted().joined(separator: ", ")
            note("It resolves to \(places) now, which is not the edge.")
        }
    }

    /// The addresses of a name; empty when it has none, or they cannot be had in time.
    private static func addresses(of name: String) async -> Set<String> {
        let (answers, continuation) = AsyncStream.makeStream(of: Set<String>.self)
        let asking = Task {
            let found = try? await NIOThreadPool.singleton.runIfActive {
                Set(Host(name: name).addresses)
            }
            continuation.yield(found ?? [])
        }
        // The system's resolver cannot be interrupted; it is left behind.
        let timer = Task {
            try await Task.sleep(for: self.patience)
            continuation.yield([])
        }
        defer {
            asking.cancel()
            timer.cancel()
        }
        for await answer in answers { return answer }
        return []
    }
}
