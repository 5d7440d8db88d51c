package import NIOCore

/// Counts the frames of a peer that cost work and carry nothing: PING, SETTINGS and PRIORITY.
///
/// Some are free in every second, and each DATA frame that has bytes, whichever way it goes, pays for one
/// more: the ends of gRPC measure their path with a PING in every round trip while messages flow, at most
/// one for each DATA frame they read, and on a short path that is thousands a second. A flood is what nothing
/// flows beside. (NIOHTTP2 has a rate without regard to what flows.)
package struct ControlFrameRate {
    private let perSecond: Int
    private var second = NIODeadline.uptimeNanoseconds(0)
    private var frames = 0
    private var dataFramesBefore = 0

    /// - Parameter perSecond: what is free; beyond it, and what is paid for, the connection should end.
    package init(perSecond: Int) { self.perSecond = perSecond }

    /// One has come.
    ///
    /// - Parameters:
    ///   - dataFrames: of the connection so far, both ways, but for those without bytes.
    ///   - now: no earlier than the last time.
    /// - Returns: false when it is one too many.
    package mutating func allows(dataFrames: Int, now: NIODeadline) -> Bool {
        if now - self.second >= .seconds(1) {
            self.second = now
            self.frames = 0
            self.dataFramesBefore = dataFrames
        }
        self.frames += 1
        return self.frames <= self.perSecond + dataFrames - self.dataFramesBefore
    }
}
