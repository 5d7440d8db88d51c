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

    let file: String
    let logger: Logger

    /// Calls `apply` each time, until the task is cancelled. What it throws is logged, and changes nothing.
    func run(_ apply: @escaping @Sendable () throws -> Void) async {
        // Trapped from here on: before, the signal would end the process.
        let signals = await UnixSignalsSequence(trapping: .sighup)
        let (causes, continuation) = AsyncStream.makeStream(
            of: Void.self,
            bufferingPolicy: .bufferingNewest(1)
        )
        await withDiscardingTaskGroup { group in
            group.addTask { for await _ in signals { continuation.yield() } }
            group.addTask {
                var seen = Version(of: self.file)
                for await _ in Self.glances(at: self.file) {
                    let now = Version(of: self.file)
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

    /// A value whenever the file may have changed.
    private static func glances(at file: String) -> AsyncStream<Void> {
        let (glances, continuation) = AsyncStream.makeStream(
            of: Void.self,
            bufferingPolicy: .bufferingNewest(1)
        )
        let directory = URL(filePath: file).deletingLastPathComponent().path(percentEncoded: false)
        let changes = DirectoryWatch.changes(in: directory)
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

    /// Which contents a file has, as far as its directory entry tells.
    private struct Version: Equatable {
        private let number: UInt64
        private let bytes: Int
        private let seconds: Int
        private let nanoseconds: Int

        init?(of file: String) {
            var status = stat()
            guard stat(file, &status) == 0 else { return nil }
            self.number = UInt64(status.st_ino)
            self.bytes = Int(status.st_size)
            self.seconds = Int(status.st_mtim.tv_sec)
            self.nanoseconds = Int(status.st_mtim.tv_nsec)
        }
    }
}
