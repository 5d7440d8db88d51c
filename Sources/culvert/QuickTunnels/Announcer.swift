import CulvertConnector
import Foundation
import HTTPSemantics
import Synchronization
import TunnelWire

/// Prints the public URL once, and what stands in the way of it.
final class Announcer: Sendable {
    private let origin: String
    private let seen = Announcements()

    init(origin: String) { self.origin = origin }

    func tell(_ state: ConnectorState) {
        switch state {
        case .connected(let welcome):
            for url in welcome.attributes.values("url") where self.seen.insert(url) {
                print(url)
                flushStandardOutput()
                note("forwarding to \(self.origin); Ctrl-C ends it")
            }
        case .connecting(let failure):
            if let failure, self.seen.noteFailure() {
                note("no connection to the edge: \(failure); trying on")
            }
        case .refused: break
        }
    }
}

/// The URLs that were announced, and whether a failure was.
private final class Announcements: Sendable {
    private let contents = Mutex<(urls: Set<String>, hasFailed: Bool)>(([], false))

    /// True the first time.
    func insert(_ url: String) -> Bool {
        self.contents.withLock { contents in
            contents.hasFailed = false
            return contents.urls.insert(url).inserted
        }
    }

    /// True for the first failure since a connection.
    func noteFailure() -> Bool {
        self.contents.withLock { contents in
            defer { contents.hasFailed = true }
            return !contents.hasFailed
        }
    }
}

/// Writes a line for a person, beside what scripts read.
func note(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}

/// A line for each request, for a person to watch.
enum RequestLine {
    static func show(_ record: ExchangeRecord) {
        let status = record.status.map(String.init) ?? "---"
        let milliseconds = record.durationNanoseconds / 1_000_000
        let failure = record.failure.map { "  \($0)" } ?? ""
        let path = record.path.unicodeScalars.map { $0.isASCII ? String($0) : "?" }.joined()
        note("\(status)  \(record.method) \(path)  \(milliseconds) ms\(failure)")
    }
}
