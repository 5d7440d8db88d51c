import Foundation
import Glibc
import Logging
import UnixSignals

/// Tells when a configuration file is to be read again: at SIGHUP, and within a second of its being
/// changed or replaced in its directory. Where the kernel cannot tell of that, within five; a file that
/// changes by a link of a directory above it, within a minute.
struct ConfigurationWatch {
    private static let watchedInterval = Duration.seconds(60)
    private static let unwatchedInterval = Duration.seconds(5)

    let file: WatchedFile
    let logger: Logger

    /// Has SIGHUP do nothing before there is a watch: it would end the process. What it is sent for is read later.
    static func ignoreEarlySignals() { signal(SIGHUP, SIG_IGN) }

    /// Calls `apply` each time, until the task is cancelled. What it throws is logged, and changes nothing.
    func run(_ apply: @escaping @Sendable () throws -> Void) async {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        let (causes, continuation) = AsyncStream.makeStream(
            of: Void.self,
            bufferingPolicy: .bufferingNewest(1)
        )
        await withDiscardingTaskGroup { group in
            group.addTask { for await _ in signals { continuation.yield() } }
            group.addTask {
                var seen = self.file.version
                for await _ in Self.glances(at: self.file.path) {
                    let now = WatchedFile.Version(of: self.file.path)
                    // One that is being replaced is not there for a moment.
                    guard now != seen, now != nil else { continue }
                    seen = now
                    continuation.yield()
                }
                continuation.finish()
            }
            for await _ in causes {
                do {
                    try apply()
                } catch {
                    self.logger.error("The configuration stays as it was: \(error)")
                }
            }
        }
    }

    /// A value at once, for what came before it was watched, and then whenever the file may have changed.
    private static func glances(at file: String) -> AsyncStream<Void> {
        let (glances, continuation) = AsyncStream.makeStream(
            of: Void.self,
            bufferingPolicy: .bufferingNewest(1)
        )
        let directory = URL(filePath: file).deletingLastPathComponent().path(percentEncoded: false)
        let changes = DirectoryWatch.changes(in: directory)
        continuation.yield()
        let task = Task {
            await withDiscardingTaskGroup { group in
                if let changes {
                    group.addTask { for await _ in changes { continuation.yield() } }
                }
                let interval = changes == nil ? self.unwatchedInterval : self.watchedInterval
                while !Task.isCancelled {
                    try? await Task.sleep(for: interval)
                    continuation.yield()
                }
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return glances
    }
}
