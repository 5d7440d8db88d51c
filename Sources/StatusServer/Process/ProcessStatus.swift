internal import Glibc

/// This process as `/proc/self/stat` shows it.
struct ProcessStatus: Equatable {
    var cpuSeconds: Double
    var virtualBytes: Double
    var residentBytes: Double
    /// Since the machine booted.
    var startSeconds: Double

    /// nil where there is no `/proc`.
    static var now: ProcessStatus? {
        ProcFile.read("/proc/self/stat").flatMap {
            ProcessStatus(
                $0,
                ticksPerSecond: Double(sysconf(CInt(_SC_CLK_TCK))),
                pageBytes: Double(sysconf(CInt(_SC_PAGESIZE)))
            )
        }
    }

    /// When this process started, in seconds since 1970.
    static var startSeconds: Double? {
        guard let status = self.now, let boot = ProcFile.read("/proc/stat") else { return nil }
        let line = boot.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst(6)) }.map { $0 + status.startSeconds }
    }

    /// Reads the line of proc(5); fields are counted from behind the command's name, which may hold
    /// spaces and parentheses.
    init?(_ line: String, ticksPerSecond: Double, pageBytes: Double) {
        guard let end = line.lastIndex(of: ")") else { return nil }
        // The first of these is field 3, the state.
        let fields = line[line.index(after: end)...].split(whereSeparator: \.isWhitespace)
        guard fields.count > 21, ticksPerSecond > 0, let user = Double(fields[11]),
            let system = Double(fields[12]), let start = Double(fields[19]),
            let virtual = Double(fields[20]), let resident = Double(fields[21])
        else { return nil }
        self.cpuSeconds = (user + system) / ticksPerSecond
        self.startSeconds = start / ticksPerSecond
        self.virtualBytes = virtual
        self.residentBytes = resident * pageBytes
    }
}

/// Files of `/proc`, whose size is not known before they are read.
enum ProcFile {
    /// - Returns: The file's text, at most 1 MiB of it; nil when it cannot be read.
    static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count < 1024 * 1024 {
            let count = buffer.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count > 0 else { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
