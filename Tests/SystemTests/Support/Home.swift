import Foundation

/// `culvert`, with a home of its own.
struct Home {
    let directory: TemporaryDirectory
    let path: String
    /// Of a machine of that name, and not this one; making it needs root.
    private let machine: String?

    /// A new one, empty.
    init(
        _ directory: TemporaryDirectory,
        named name: String = "home",
        on machine: String? = nil
    ) throws {
        self.directory = directory
        self.machine = machine
        self.path = directory.file(name)
        try FileManager.default.createDirectory(
            atPath: self.path,
            withIntermediateDirectories: true
        )
    }

    private func words(_ arguments: [String], _ environment: [String]) -> [String] {
        ["CULVERT_HOME=\(self.path)", "HOME=\(self.path)", "TZ=UTC"] + environment
            + self.place + [Programs.culvert] + arguments
    }

    /// What runs a command on the machine.
    private var place: [String] {
        guard let machine else { return [] }
        return ["unshare", "--uts", "sh", "-c", #"hostname "$0" && exec "$@""#, machine]
    }

    /// Runs a command to its end.
    func run(_ arguments: [String], _ environment: [String] = []) throws -> Finished {
        try Finished("/usr/bin/env", self.words(arguments, environment), in: self.directory)
    }

    /// Starts a command.
    func start(_ arguments: [String], _ environment: [String] = []) throws -> ManagedProcess {
        try ManagedProcess(
            "/usr/bin/env",
            self.words(arguments, environment),
            in: self.directory
        )
    }

    /// Writes a file of mode 0600 and gives its path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        let path = "\(self.path)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return path
    }

    /// The files that there are.
    func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self.path).sorted()
    }
}
