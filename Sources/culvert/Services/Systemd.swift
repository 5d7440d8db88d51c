import Foundation

/// The systemd that runs this machine.
enum Systemd {
    /// Whether there is one, as sd_booted(3) finds out.
    static var isRunning: Bool {
        FileManager.default.fileExists(atPath: "/run/systemd/system")
    }

    /// Checks that services can be installed on this machine by whoever asks.
    ///
    /// - Throws: `Failure` with what to do instead: `alternative` is the command to run.
    static func require(orRun alternative: String) throws {
        guard geteuid() == 0 else {
            throw Failure("Services are root's: run the same with sudo.")
        }
        guard self.isRunning else {
            throw Failure(
                """
                No systemd runs this machine (a container?). Run the program itself, under whatever \
                starts programs here:
                  \(alternative)
                To write the files only, say --no-start.
                """
            )
        }
    }

    /// Has systemd read its units again and start one, now and at each boot; waits until it is up, and a
    /// connector up to 10 s for its connection.
    ///
    /// - Returns: what the service says of itself.
    /// - Throws: `Failure` with the last lines of its log.
    static func start(_ name: ServiceName) throws -> String {
        try self.call(["daemon-reload"])
        try self.call(["enable", "--quiet", name.unit])
        // The ports may be others than before, and are not taken from a service that holds them itself.
        _ = self.output("systemctl", ["stop", name.socketUnit, name.unit])
        // Also when it runs already, with what was there before.
        let isUp = ChildProgram.run("systemctl", ["restart", name.unit])
        let status = isUp ? self.status(of: name) : ""
        // One that the edge refuses is up for a moment.
        guard isUp, !status.hasPrefix("Refused"), self.isActive(name) else {
            throw Failure(
                """
                \(name.unit) does not stay up. Its last words:
                \(self.log(of: name))
                It is installed, and systemd goes on trying: `systemctl status \(name.unit)` says how \
                it stands; `culvert service uninstall --name \(name.text)` removes it.
                """
            )
        }
        return status
    }

    private static func status(of name: ServiceName) -> String {
        let end = ContinuousClock.now + .seconds(10)
        while true {
            let text = self.output("systemctl", ["show", "-P", "StatusText", name.unit])
            guard text.hasPrefix("Dialling"), ContinuousClock.now < end else { return text }
            usleep(100_000)
        }
    }

    /// Stops a service for good. One that is not there is none the less stopped.
    static func stop(_ name: ServiceName) {
        // Together: whoever connects to the socket would start the service again.
        let units = [name.socketUnit, name.unit]
        _ = self.output("systemctl", ["stop"] + units)
        _ = self.output("systemctl", ["disable", "--quiet", name.unit])
        _ = self.output("systemctl", ["disable", "--quiet", name.socketUnit])
    }

    /// Has systemd read its units again, without one that was removed.
    ///
    /// - Throws: `Failure`.
    static func forget(_ name: ServiceName) throws {
        try self.call(["daemon-reload"])
        _ = self.output("systemctl", ["reset-failed", name.unit, name.socketUnit])
    }

    private static func isActive(_ name: ServiceName) -> Bool {
        self.output("systemctl", ["is-active", name.unit]) == "active"
    }

    private static func log(of name: ServiceName) -> String {
        let unit = ["-u", name.unit, "-n", "10", "--no-pager", "-o", "cat"]
        return self.output("journalctl", unit).split(separator: "\n").map { "  \($0)" }
            .joined(separator: "\n")
    }

    private static func call(_ arguments: [String]) throws {
        guard ChildProgram.run("systemctl", arguments) else {
            throw Failure("`systemctl \(arguments.joined(separator: " "))` failed, see above.")
        }
    }

    /// What a program prints, whatever becomes of it; nothing of what it says of errors.
    private static func output(_ program: String, _ arguments: [String]) -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return "" }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
