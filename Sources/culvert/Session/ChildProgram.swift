import Foundation

/// A program that a person meets: a browser, an editor. It shares the terminal.
enum ChildProgram {
    /// Runs a program to its end, which Ctrl-C is left to.
    ///
    /// - Returns: whether it could be started and ended with 0.
    static func run(_ program: String, _ arguments: [String]) -> Bool {
        guard let pid = self.spawn(program, arguments, isQuiet: false) else { return false }
        let before = signal(SIGINT, SIG_IGN)
        defer { signal(SIGINT, before) }
        var status: CInt = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { return false }
        }
        return status == 0
    }

    /// Starts a program and leaves it alone; what it says goes nowhere.
    static func start(_ program: String, _ arguments: [String]) {
        _ = self.spawn(program, arguments, isQuiet: true)
    }

    private static func spawn(
        _ program: String,
        _ arguments: [String],
        isQuiet: Bool
    ) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if isQuiet {
            for descriptor: CInt in 0...2 {
                posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
            }
        }
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        guard posix_spawnp(&pid, program, &actions, nil, &words, environ) == 0 else { return nil }
        return pid
    }
}
