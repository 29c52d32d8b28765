import { useLocation } from '@tanstack/react-router'

/** Whether the page is one of `/share`, also before the router has found it. */
export function useIsShared(): boolean {
  const location: { pathname: string } = useLocation()
  return location.pathname.startsWith('/share/')
}
