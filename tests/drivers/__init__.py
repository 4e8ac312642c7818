"""What calls do, whichever event loop they run on: each test runs on trio and on asyncio."""
