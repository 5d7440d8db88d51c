internal import Glibc

/// What every Prometheus client reports about its process, read from `/proc` (proc(5)) at each scrape.
///
/// A value that cannot be read is `NaN`.
package enum ProcessMetrics {
    /// Adds the `process_…` series; only the start time is read now, once.
    package static func register(in registry: MetricsRegistry) {
        registry.counter(
            "process_cpu_seconds_total",
            help: "User and system CPU time spent, in seconds.",
            reading: { ProcessStatus.now?.cpuSeconds ?? .nan }
        )
        registry.gauge(
            "process_resident_memory_bytes",
            help: "Resident memory, in bytes.",
            reading: { ProcessStatus.now?.residentBytes ?? .nan }
        )
        registry.gauge(
            "process_virtual_memory_bytes",
            help: "Virtual memory, in bytes.",
            reading: { ProcessStatus.now?.virtualBytes ?? .nan }
        )
        registry.gauge(
            "process_open_fds",
            help: "Open file descriptors.",
            reading: { Self.openDescriptors.map(Double.init) ?? .nan }
        )
        registry.gauge(
            "process_max_fds",
            help: "File descriptors this process may open.",
            reading: { Self.maximumDescriptors }
        )
        let started = ProcessStatus.startSeconds ?? .nan
        registry.gauge(
            "process_start_time_seconds",
            help: "When the process started, in seconds since 1970.",
            reading: { started }
        )
    }

    /// Without the one that the count itself needs.
    static var openDescriptors: Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        // ".", ".." and the directory's own descriptor.
        var count = -3
        while readdir(directory) != nil { count += 1 }
        return max(0, count)
    }

    private static var maximumDescriptors: Double {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return .nan
        }
        return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }
}
