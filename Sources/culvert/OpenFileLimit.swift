import Glibc

/// How many files, sockets among them, this process may have open (`RLIMIT_NOFILE`, getrlimit(2)).
enum OpenFileLimit {
    /// What "unlimited" counts as, to be reckoned with.
    private static let most: rlim_t = 1 << 30

    /// Raises the limit as far as this process may: the usual 1,024 is for programs that use select(2), which
    /// nothing here does. Without a free descriptor a process is in the hands of its libraries, and
    /// libdispatch ends it; so what serves others takes in less than this.
    ///
    /// - Returns: the limit from now on, 1 << 30 at most.
    static func raise() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 1_024 }
        if limit.rlim_cur < limit.rlim_max {
            let former = limit.rlim_cur
            limit.rlim_cur = limit.rlim_max
            if setrlimit(resource, &limit) != 0 { limit.rlim_cur = former }
        }
        return Int(min(limit.rlim_cur, Self.most))
    }
}
