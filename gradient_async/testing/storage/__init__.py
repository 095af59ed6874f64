"""The emulator's storage host: presigned uploads and downloads."""
