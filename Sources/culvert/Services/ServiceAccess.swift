import Foundation
import Glibc

/// What an unprivileged service may read: what everybody may, and what groups that it is put in may.
struct ServiceAccess {
    let files: ServiceFiles
    /// Those that are needed so far.
    private(set) var groups: Set<String> = []

    init(_ files: ServiceFiles) { self.files = files }

    /// Sees to it that the service can read a file, if need be as one of the file's group.
    ///
    /// - Throws: `Failure` with the file or folder in the way and what to do about it.
    mutating func admit(_ file: String) throws {
        if let folder = self.hiddenFolder(of: file) {
            throw Failure(
                "\(file): a service sees nothing of \(folder). Move it, to /etc/culvert for example."
            )
        }
        let path = self.files.here(file)
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        try self.admit(target, needs: S_IROTH)
        for end in Set([path, target]) {
            var folder = URL(fileURLWithPath: end).deletingLastPathComponent()
            while folder.path != "/", folder.path != self.files.here("") {
                try self.admit(folder.path, needs: S_IXOTH)
                folder.deleteLastPathComponent()
            }
        }
    }

    /// The folder that no service sees, ProtectHome and PrivateTmp being set, if the file is in one.
    func hiddenFolder(of file: String) -> String? {
        ["/home", "/root", "/run/user", "/tmp", "/var/tmp"].first {
            self.files.isHere && file.hasPrefix($0 + "/")
        }
    }

    private mutating func admit(_ path: String, needs bit: mode_t) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw Failure("\(path): \(String(cString: strerror(errno))).")
        }
        guard status.st_mode & bit == 0 else { return }
        // The same bit of the group's. Being of root's group opens too much.
        if status.st_mode & (bit << 3) != 0, status.st_gid != 0, let group = getgrgid(status.st_gid)
        {
            self.groups.insert(String(cString: group.pointee.gr_name))
            return
        }
        let letter = bit == S_IXOTH ? "x" : "r"
        throw Failure(
            """
            \(path): the service runs as a user of its own and cannot read it. Let a group read it, which \
            the service is then put in:
              groupadd --system culvert; chgrp culvert \(path); chmod g+\(letter) \(path)
            """
        )
    }
}
