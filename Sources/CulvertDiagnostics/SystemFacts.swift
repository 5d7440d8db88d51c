import Foundation
import Glibc

/// What there is to know of the machine and of this process, without asking anybody.
package enum SystemFacts {
    /// The operating system, the kernel and the hardware, a line each.
    package static func machine() -> [String] {
        var name = utsname()
        let kernel =
            uname(&name) == 0
            ? [
                self.text(&name.sysname), self.text(&name.release), self.text(&name.version),
                self.text(&name.machine),
            ].joined(separator: " ") : "unknown"
        let release = self.file("/etc/os-release").split(separator: "\n")
            .first { $0.hasPrefix("PRETTY_NAME=") }?.dropFirst("PRETTY_NAME=".count)
            .filter { $0 != "\"" }
        let memory = self.file("/proc/meminfo").split(separator: "\n").prefix(3).map {
            $0.split(separator: " ").joined(separator: " ")
        }
        let first = self.file("/proc/1/comm").trimmingCharacters(in: .newlines)
        let load = self.file("/proc/loadavg").trimmingCharacters(in: .newlines)
        return [
            "system: \(release ?? "unknown")", "kernel: \(kernel)",
            "processors: \(ProcessInfo.processInfo.activeProcessorCount)", "load: \(load)",
        ] + memory + [
            "first process: \(first)",
            "container: \(FileManager.default.fileExists(atPath: "/.dockerenv") ? "yes" : "no sign of one")",
            "user: \(geteuid())",
        ]
    }

    /// The limits of this process and of each other one called `culvert`, with what they use; what may not be
    /// seen is left out.
    package static func limits() -> String {
        ([getpid()] + self.culverts().filter { $0 != getpid() }).map { pid in
            let own = pid == getpid() ? " (this one)" : ""
            let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")
                .count
            let memory = self.file("/proc/\(pid)/status").split(separator: "\n").filter {
                $0.hasPrefix("VmRSS:") || $0.hasPrefix("Threads:")
            }
            let lines =
                [
                    "process \(pid)\(own)",
                    "open files: \(files.map { "\($0)" } ?? "not to be seen")",
                ]
                + memory.map { $0.split(separator: "\t").joined(separator: " ") }
            return lines.joined(separator: "\n") + "\n\n" + self.file("/proc/\(pid)/limits")
        }.joined(separator: "\n")
    }

    /// The variables that bear on connections and on this program, in order; proxies without their login,
    /// secrets with a mask alone.
    package static func environment(_ variables: [String: String]) -> [String] {
        let proxies = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]
        let others = [
            "SSL_CERT_FILE", "SSL_CERT_DIR", "HOME", "PATH", "LANG", "TZ", "STATE_DIRECTORY",
        ]
        return variables.sorted { $0.key < $1.key }.compactMap { name, value in
            if proxies.contains(name.lowercased()) {
                // Whatever stands before the last @ is a login, however it is written.
                let host = value.lastIndex(of: "@").map { value[$0...] }
                return "\(name)=\(host.map { SecretMask.mark + $0 } ?? value)"
            }
            if SecretMask.isSecret(key: name), name.hasPrefix("CULVERT_") {
                return "\(name)=\(SecretMask.mark)"
            }
            let isOfInterest = name.hasPrefix("CULVERT_") || others.contains(name)
            return isOfInterest ? "\(name)=\(value)" : nil
        }
    }

    /// The processes called `culvert`, with their arguments, which may have secrets.
    package static func processes() -> [(pid: Int32, arguments: [String])] {
        self.culverts().map { pid in
            (pid, self.file("/proc/\(pid)/cmdline").split(separator: "\0").map(String.init))
        }
    }

    private static func culverts() -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.sorted().filter {
            self.file("/proc/\($0)/comm") == "culvert\n"
        }
    }

    private static func file(_ path: String) -> String {
        guard let handle = FileHandle(forReadingAtPath: path) else { return "" }
        let data = (try? handle.read(upToCount: 256 << 10)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }

    private static func text<Field>(_ field: inout Field) -> String {
        withUnsafeBytes(of: &field) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
