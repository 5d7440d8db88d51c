import Foundation
import Glibc

/// A file that is read and then watched: made before it is read, so that no change in between is missed.
struct WatchedFile: Sendable {
    let path: String
    /// As it was before it was read; nil when it was not there.
    let version: Version?

    init(_ path: String) {
        self.path = path
        self.version = Version(of: path)
    }

    /// Which contents a file has, as far as its directory entry tells.
    struct Version: Equatable {
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
