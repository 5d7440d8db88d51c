import CLinux
import Glibc

/// A named thread that is joined at most once, or left to end by itself. Any thread.
final class DoorThread: Sendable {
    private let handle: pthread_t

    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    /// Starts `body`, which the new thread owns alone from then on.
    init(_ body: @escaping () -> Void) throws(FrontDoorError) {
        let argument = Unmanaged.passRetained(Body(body))
        var handle = pthread_t()
        let code = pthread_create(
            &handle,
            nil,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                _ = pthread_setname_np(pthread_self(), "front-door")
                body.run()
                return nil
            },
            argument.toOpaque()
        )
        guard code == 0 else {
            argument.release()
            throw FrontDoorError(call: "pthread_create", errno: code)
        }
        self.handle = handle
    }

    var isCurrent: Bool { pthread_equal(self.handle, pthread_self()) != 0 }

    /// Waits for the end; on the thread itself, lets it end by itself.
    func join() {
        if self.isCurrent { pthread_detach(self.handle) } else { pthread_join(self.handle, nil) }
    }
}
