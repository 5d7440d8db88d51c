internal import Foundation

/// Whether this process may use a store's files, and whose they are if it may not.
enum StoreFileAccess {
    /// What keeps this process from a store; nil when that is not the files' permissions.
    ///
    /// The files beside it count, too: a command that was run as somebody else may have made them.
    static func objection(to file: String) -> String? {
        for path in [file, file + "-wal", file + "-shm"] {
            var status = stat()
            guard stat(path, &status) == 0, access(path, R_OK | W_OK) != 0 else { continue }
            return Self.words(
                path,
                owner: self.name(of: status.st_uid),
                mode: status.st_mode & 0o777,
                process: self.name(of: geteuid())
            )
        }
        let directory = (file as NSString).deletingLastPathComponent
        let place = directory.isEmpty ? "." : directory
        guard access(place, F_OK) == 0, access(place, W_OK | X_OK) != 0 else { return nil }
        return
            "\(place): \(self.name(of: geteuid())) may make no files there, and a store keeps its "
            + "log beside itself"
    }

    static func words(_ path: String, owner: String, mode: mode_t, process: String) -> String {
        "\(path): Permission denied: it belongs to \(owner) (mode \(String(mode, radix: 8))), and this "
            + "runs as \(process). The edge and the commands beside it run as the store's owner: run "
            + "this as \(owner), or `chown \(process) \(path)` if the edge runs as \(process)"
    }

    private static func name(of user: uid_t) -> String {
        guard let entry = getpwuid(user), let name = entry.pointee.pw_name else {
            return "user \(user)"
        }
        return String(cString: name)
    }
}
