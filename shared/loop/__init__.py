"""What every controller uses: observe, perform, prove, report."""
