import GRPCCore
import ImageStream
import OCI
import RuntimeAPI
import SystemIO
import Varlink

/// Which status an error becomes, in one place (gNOI Containerz, the comments at its RPCs).
enum StatusTable {
    static func status(for error: any Error) -> RPCError {
        switch error {
        case let error as RPCError: error
        case let error as RuntimeAPI.RuntimeError:
            RPCError(code: code(for: error), message: error.description)
        case let error as RequestError:
            RPCError(code: .invalidArgument, message: error.description)
        case let error as ImageStreamError:
            RPCError(code: code(for: error), message: error.description)
        case let error as ImageReferenceError:
            RPCError(code: .invalidArgument, message: error.description)
        case let error as ConnectionError:
            RPCError(code: .unavailable, message: "cz-runtime is not available: \(error)")
        case is OpenEndedWork.Stopped:
            RPCError(code: .unavailable, message: "the server is stopping")
        case is CancellationError:
            RPCError(code: .cancelled, message: "the call was cancelled")
        default: RPCError(code: .internalError, message: "\(error)")
        }
    }

    private static func code(for error: RuntimeAPI.RuntimeError) -> RPCError.Code {
        switch error {
        case .imageNotFound, .containerNotFound, .networkNotFound, .volumeNotFound,
            .driverNotFound, .pathNotFound, .pluginNotFound:
            .notFound
        case .imageInUse, .containerRunning, .volumeInUse, .pluginInUse, .restartPolicyRejected,
            .userRejected, .stillNeeded:
            .failedPrecondition
        case .containerExists, .volumeExists, .pluginExists: .alreadyExists
        case .portInUse, .stopFailed, .engineUnavailable, .updateInProgress: .unavailable
        case .invalidArgument: .invalidArgument
        case .notPermitted: .permissionDenied
        case .insufficientStorage: .resourceExhausted
        case .notSupported: .unimplemented
        case .startFailed, .pluginFailed, .loadFailed, .engineFailed, .updateFailed: .internalError
        }
    }

    private static func code(for error: ImageStreamError) -> RPCError.Code {
        switch error {
        case .tooLarge, .windowTooLarge, .decodersBusy: .resourceExhausted
        case .source, .output: .unknown
        case .notAnArchive, .damaged, .compressedTwice, .unsafeEntry, .tooManyEntries,
            .tooMuchMetadata,
            .noManifest, .notOneImage, .notAPlugin, .malformed, .missing, .wrongDigest, .noPlatform,
            .notOneName, .badName:
            .invalidArgument
        }
    }
}
