import Foundation
import Glibc

/// A network namespace with one link to this one; gone with its test. Needs root.
final class Namespace {
    /// This side's address.
    static let near = "10.213.77.1"

    private let holder: ManagedProcess
    private let directory: TemporaryDirectory
    private var address: String?

    /// Whether this machine lets a process make one.
    static let isAvailable: Bool = {
        guard geteuid() == 0, let directory = try? TemporaryDirectory() else { return false }
        return (try? Finished("unshare", ["--net", "true"], in: directory).status) == 0
    }()

    /// Runs a command inside: put it in front.
    let prefix: [String]

    init(in directory: TemporaryDirectory) throws {
        self.directory = directory
        self.holder = try ManagedProcess("unshare", ["--net", "sleep", "600"], in: directory)
        let path = "/proc/\(self.holder.pid)/ns/net"
        self.prefix = ["nsenter", "--net=\(path)", "--"]
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net")
        try waitFor("the namespace") {
            let other = try? FileManager.default.destinationOfSymbolicLink(atPath: path)
            return other == nil || other == own ? nil : true
        }
        let name = "cv\(self.holder.pid)"
        try self.ip("link add \(name) type veth peer name inside netns \(self.holder.pid)")
        try self.ip("address add \(Self.near)/24 dev \(name)")
        try self.ip("link set \(name) up")
        try self.ip("link set lo up", inside: true)
        try self.ip("link set inside up", inside: true)
    }

    /// Gives the inner side this address instead of the one it has.
    func move(to address: String) throws {
        if let old = self.address { try self.ip("address del \(old)/24 dev inside", inside: true) }
        try self.ip("address add \(address)/24 dev inside", inside: true)
        self.address = address
    }

    private func ip(_ words: String, inside: Bool = false) throws {
        let command =
            (inside ? self.prefix : []) + ["ip"] + words.split(separator: " ").map(String.init)
        let done = try Finished(command[0], Array(command.dropFirst()), in: self.directory)
        guard done.status == 0 else { throw TestFailure("ip \(words): \(done.errors)") }
    }
}
